from __future__ import annotations

from aegis_authz.cli.policy.grant_text import narrowing_data
from aegis_authz.lab.grants import LookedAtNarrowing, LookedAtValue


def test_programs_are_told_each_part_of_a_grant() -> None:
    told = narrowing_data(LookedAtNarrowing(False, True, False, (LookedAtValue("payee", ("ACME",), "A", True, False),)))
    assert told == {
        "is_over": False,
        "tool": True,
        "action": False,
        "values": [{"parameter": "payee", "allowed": ["ACME"], "seen": "A", "there": True, "holds": False}],
    }
