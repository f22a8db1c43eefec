from __future__ import annotations

from aegis_authz.cli.policy.grant_text import narrowing_data, narrowing_lines
from aegis_authz.lab.grants import LookedAtNarrowing, LookedAtValue


def test_each_part_of_a_grant_says_whether_it_lets_the_call_through() -> None:
    values = (
        LookedAtValue("payee", ("ACME", 1), "Evil", True, False),
        LookedAtValue("sum", (True,), None, False, False),
    )
    assert list(narrowing_lines(LookedAtNarrowing(False, True, True, values))) == [
        (True, "it has not ended"),
        (True, "lists the tool"),
        (True, "lists the action"),
        (False, 'payee one of ["ACME", 1]: seen "Evil"'),
        (False, "sum one of [true]: it is not there"),
    ]
    assert list(narrowing_lines(LookedAtNarrowing(True, False, False, ()))) == [
        (False, "it has ended"),
        (False, "does not list the tool"),
    ]


def test_programs_are_told_the_same() -> None:
    told = narrowing_data(LookedAtNarrowing(False, True, False, (LookedAtValue("payee", ("ACME",), "A", True, False),)))
    assert told == {
        "is_over": False,
        "tool": True,
        "action": False,
        "values": [{"parameter": "payee", "allowed": ["ACME"], "seen": "A", "there": True, "holds": False}],
    }
