"""Every kind of obligation is known wherever one is made, written, expected and fulfilled."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from aegis_authz.check.fulfil import fulfil
from aegis_authz.core.call import NO_RPC
from aegis_authz.core.decision import (
    OBLIGATIONS,
    Decision,
    FilterTools,
    Obligation,
    OwnDetector,
    Redact,
    SetHeader,
    Target,
    changes_bodies,
)
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.lab.cases import ExpectedObligation
from aegis_authz.wire.opa.obligations import obligations_from_data, obligations_to_data

REGO = "".join(path.read_text() for path in sorted((Path(__file__).parents[2] / "rego").glob("*.rego")))


def example(kind: str) -> Obligation:
    members = {
        name: hint for name, hint in get_type_hints(OBLIGATIONS[kind]).items() if name in OBLIGATIONS[kind].__slots__
    }
    usual: dict[object, object] = {
        Target: Target.RESPONSE,
        str: "x",
        bool: True,
        tuple[str, ...]: ("/x",),
        tuple[OwnDetector, ...]: (OwnDetector("employee", "E[0-9]{6}", "luhn"),),
    }
    values = {name: usual[hint] for name, hint in members.items()}
    return OBLIGATIONS[kind](**values)  # type: ignore[arg-type]  # each of the type its hint says


@pytest.mark.interpreted  # compiled, a class knows its hints no more
@pytest.mark.parametrize("kind", OBLIGATIONS)
def test_a_kind_is_written_and_read(kind: str) -> None:
    assert obligations_from_data(obligations_to_data([example(kind)])) == (example(kind),)


def test_rego_gives_every_kind_and_no_other() -> None:
    assert set(re.findall(r'"kind": "([a-z_]+)"', re.sub(r"(?m)^#.*", "", REGO))) == set(OBLIGATIONS)


def test_tests_of_policies_can_expect_every_kind() -> None:
    assert set(get_args(ExpectedObligation.model_fields["kind"].annotation)) == set(OBLIGATIONS)


def test_what_changes_a_body_is_fulfilled_by_the_processor_alone() -> None:
    for obligation in (Redact(Target.REQUEST, (), ("/x",)), FilterTools(()), SetHeader("x-y", "1")):
        effect, reason = (
            (Effect.SANITIZE, Reason.SANITIZED) if changes_bodies(obligation) else (Effect.ALLOW, Reason.ALLOWED)
        )
        decision = Decision(effect, reason, "", (), "r", (obligation,), (), None, None, None, ())
        done = fulfil(decision, NO_RPC, None, NOBODYS, None)
        assert bool(done.processing) is changes_bodies(obligation)
        assert bool(done.headers) is not changes_bodies(obligation)


class Nobodys:
    def secret(self, org: str, tenant: str, name: str) -> str:
        raise AssertionError("no credential is asked for")


NOBODYS = Nobodys()
