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
class CaseResult:
    """What became of one case."""

    case: Case
    decided: Decision | Refused
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def tried(bench: Workbench, cases: Sequence[Case]) -> list[CaseResult]:
    """Decide the calls of all tests in one batch, in order. Raises LabError, Refused."""
    if not cases:
        return []
    decided = bench.decide([case.call for case in cases])
    return [
        CaseResult(case, decision, differences(case, decision)) for case, decision in zip(cases, decided, strict=True)
    ]


def differences(case: Case, decided: Decision | Refused) -> tuple[Difference, ...]:
    """Where a decision is not as the test expects, in order of writing."""
    data = decided_data(decided)
    deviations = []
    for member, expected in expected_data(case.expect).items():
        answer = _expected_part(data[member], expected)
        if not _same(member, expected, answer):
            deviations.append(Difference(member, expected, answer, case.lines.get(member, case.line)))
    return tuple(deviations)


def expected_data(expect: Expected) -> dict[str, Json]:
    """What is expected, as JSON; what was left out is not there."""
    data: dict[str, Json] = {"effect": expect.effect}
    if expect.reason is not None:
        data["reason"] = expect.reason
    if expect.policies is not None:
        data["policies"] = [*expect.policies]
    if expect.obligations is not None:
        data["obligations"] = [obligation.data for obligation in expect.obligations]
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
        "findings": [f"{finding.parameter} {finding.condition}" for finding in decided.findings],
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


def _expected_part(answer: Json, expected: Json) -> Json:
    """Of a mapping, the members that are expected alone."""
    if isinstance(answer, Mapping) and isinstance(expected, Mapping):
        return {name: value for name, value in answer.items() if name in expected}
    return answer


def _same(member: str, expected: Json, answer: Json) -> bool:
    if member in _SETS and isinstance(expected, list) and isinstance(answer, list):
        return {_canonical(element) for element in expected} == {_canonical(element) for element in answer}
    return canonical(expected) == canonical(answer)


def _canonical(value: Json) -> bytes:
    """The text of a value in which the order of lists does not count."""
    if isinstance(value, Mapping):
        ordered: dict[str, Json] = {
            name: sorted(member, key=canonical) if isinstance(member, list) else member
            for name, member in value.items()
        }
        return canonical(ordered)
    return canonical(value)
