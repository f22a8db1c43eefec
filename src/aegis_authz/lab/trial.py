"""Policy tests tried: what was decided of each call, and where that is not what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.decision import Decision
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.lab.cases import Case, Expected
from aegis_authz.lab.sequence_cases import ExpectedStep, terms_data
from aegis_authz.lab.sequences import Played
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
    results: dict[int, CaseResult] = {}
    single = [(place, case) for place, case in enumerate(cases) if case.play is None]
    for (place, case), decision in zip(single, bench.decide([case.call for _, case in single]), strict=True):
        results[place] = CaseResult(case, decision, differences(case, decision))
    steps = [(place, case) for place, case in enumerate(cases) if case.play is not None]
    played = bench.play([case for _, case in steps]) if steps else []
    for (place, case), repetitions in zip(steps, played, strict=True):
        results[place] = _step_result(case, repetitions)
    return [results[place] for place in range(len(cases))]


def _step_result(case: Case, repetitions: Sequence[Played]) -> CaseResult:
    """The first repetition that is not as expected; what is left counts after the last."""
    for number, repetition in enumerate(repetitions, 1):
        is_last = number == len(repetitions)
        deviations = tuple(_step_differences(case, repetition, is_last))
        if deviations or is_last:
            return CaseResult(case, repetition.decided, deviations)
    raise ValueError("a step that is made no time")


def _step_differences(case: Case, repetition: Played, is_last: bool) -> Iterator[Difference]:
    expect = case.expect
    if not isinstance(expect, ExpectedStep):
        raise TypeError("a step expects what is left")
    data = decided_data(repetition.decided)
    pairs: list[tuple[str, Json, Json]] = [("effect", expect.effect, data["effect"])]
    if expect.reason is not None:
        pairs.append(("reason", expect.reason, data["reason"]))
    if expect.approval is not None:
        terms_wanted: Json = expect.approval.data
        terms = repetition.approval
        answer: Json = None if terms is None else terms_data(terms)
        pairs.append(("approval", terms_wanted, _expected_part(answer, terms_wanted)))
    if expect.left is not None and is_last:
        left = dict(repetition.left)
        pairs.append(("left", dict(expect.left), {word: left.get(word) for word in expect.left}))
    for member, expectation, answer in pairs:
        if not _same(member, expectation, answer):
            yield Difference(member, expectation, answer, case.lines.get(member, case.line))


def differences(case: Case, decided: Decision | Refused) -> tuple[Difference, ...]:
    """Where a decision is not as the test expects, in order of writing."""
    data = decided_data(decided)
    if not isinstance(case.expect, Expected):
        raise TypeError("a step of a sequence is settled, too")
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
        data["approval"] = expect.approval.data
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
        "approval": None if terms is None else terms_data(terms),
    }


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
