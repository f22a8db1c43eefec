"""Policy tests tried: what was decided of each call, and where that is not what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.decision import Decision
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.lab.cases import Case, Expected
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.wire.opa.obligations import obligations_to_data

_SETS = ("policies", "obligations", "findings")


@dataclass(frozen=True, slots=True)
class Difference:
    """One member of a decision that is not as expected. `line` is where the expectation was written."""

    member: str
    expected: Json
    decided: Json
    line: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test."""

    case: Case
    decided: Decision | Refused
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def tried(bench: Workbench, cases: Sequence[Case]) -> list[Outcome]:
    """Decide the calls of all tests in one batch, in order. Raises LabError, Refused."""
    if not cases:
        return []
    decided = bench.decide([case.call for case in cases])
    return [Outcome(case, one, differences(case, one)) for case, one in zip(cases, decided, strict=True)]


def differences(case: Case, decided: Decision | Refused) -> tuple[Difference, ...]:
    """Where a decision is not as the test expects, in order of writing."""
    data = decided_data(decided)
    found = []
    for member, expected in expected_data(case.expect).items():
        seen = _as_asked(data[member], expected)
        if not _same(member, expected, seen):
            found.append(Difference(member, expected, seen, case.lines.get(member, case.line)))
    return tuple(found)


def expected_data(expect: Expected) -> dict[str, Json]:
    """What is expected, as JSON; what was left out is not there."""
    data: dict[str, Json] = {"effect": expect.effect}
    if expect.reason is not None:
        data["reason"] = expect.reason
    if expect.policies is not None:
        data["policies"] = [*expect.policies]
    if expect.obligations is not None:
        data["obligations"] = [one.data for one in expect.obligations]
    if expect.findings is not None:
        data["findings"] = [*expect.findings]
    if expect.would is not None:
        data["would"] = expect.would
    if expect.approval is not None:
        data["approval"] = _approval(expect.approval.groups, expect.approval.expires_in)
    return data


def decided_data(decided: Decision | Refused) -> dict[str, Json]:
    """A decision as JSON, with findings as "parameter condition"; an unreadable one is a deny, as in the mesh."""
    if isinstance(decided, Refused):
        return {
            "effect": "deny",
            "reason": decided.reason.value,
            "detail": decided.detail,
            "policies": [],
            "obligations": [],
            "findings": [],
            "would": None,
            "approval": None,
        }
    terms = decided.approval
    return {
        "effect": decided.effect.value,
        "reason": decided.reason.value,
        "detail": decided.detail,
        "policies": [*decided.policies],
        "obligations": obligations_to_data(decided.obligations),
        "findings": [f"{one.parameter} {one.condition}" for one in decided.findings],
        "would": None if decided.would is None else decided.would.value,
        "approval": None if terms is None else _approval(terms.groups, terms.expires_in),
    }


def _approval(groups: Sequence[str] | None, expires_in: float | None) -> dict[str, Json]:
    terms: dict[str, Json] = {}
    if groups is not None:
        terms["groups"] = sorted(groups)
    if expires_in is not None:
        terms["expires_in"] = int(expires_in) if float(expires_in).is_integer() else expires_in
    return terms


def _as_asked(seen: Json, expected: Json) -> Json:
    """Of a mapping, the members that are expected alone."""
    if isinstance(seen, Mapping) and isinstance(expected, Mapping):
        return {name: value for name, value in seen.items() if name in expected}
    return seen


def _same(member: str, expected: Json, seen: Json) -> bool:
    if member in _SETS and isinstance(expected, list) and isinstance(seen, list):
        return {_canonical(one) for one in expected} == {_canonical(one) for one in seen}
    return canonical(expected) == canonical(seen)


def _canonical(value: Json) -> bytes:
    """The text of a value in which the order of lists does not count."""
    if isinstance(value, Mapping):
        ordered: dict[str, Json] = {
            name: sorted(inner, key=canonical) if isinstance(inner, list) else inner for name, inner in value.items()
        }
        return canonical(ordered)
    return canonical(value)
