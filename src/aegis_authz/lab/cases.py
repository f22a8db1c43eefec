"""Policy tests as people write them: a call and what is expected of its decision."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Tag, model_validator

from aegis_authz.core.decision import OBLIGATIONS
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.identity_cases import is_about_identity
from aegis_authz.lab.sequence_cases import ExpectedApproval, ExpectedStep, Play, WrittenSequence, plays_of
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE, Words
from aegis_authz.policy.language.validation import Part, validated
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors, Problem, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument, read_source

REASONS_OF_POLICY = (
    Reason.ALLOWED,
    Reason.SANITIZED,
    Reason.SHADOWED,
    Reason.APPROVAL_NEEDED,
    Reason.TOOL_UNKNOWN,
    Reason.EGRESS_DENIED,
    Reason.POLICY_ABSENT,
    Reason.POLICY_DENIED,
    Reason.PARAMETER_MISSING,
    Reason.PARAMETER_TYPE,
    Reason.GRANT_EXPIRED,
    Reason.GRANT_EXCEEDED,
)
"""What policy alone can answer; the others come from the mesh around it."""

_PARAMETERS: Location = ("call", "parameters")
_LEFT_OUT: Mapping[str, Json] = {
    "detectors": [],
    "fields": [],
    "header": "authorization",
    "prefix": "",
    "is_loose": False,
    "numbers": False,
    "passes_opaque": False,
    "own": [],
}
"""What members of obligations are where a test leaves them out; the others must be given."""
_KINDS = {kind: tuple(field.name for field in fields(obligation)) for kind, obligation in OBLIGATIONS.items()}
"""The members of each kind of obligation."""


def _effect(value: str) -> str:
    return _one_of(value, [effect.value for effect in Effect], "effect")


def _reason(value: str) -> str:
    return _one_of(value, [reason.value for reason in REASONS_OF_POLICY], "reason that policy gives")


def _one_of(value: str, choices: Sequence[str], kind: str) -> str:
    if value not in choices:
        near = did_you_mean(value, choices) or f"; known: {', '.join(choices)}"
        raise ValueError(f"{quoted(value)} is no {kind}{near}")
    return value


def _finding(value: str) -> str:
    if len(value.split(" ")) < 2:
        raise ValueError(f'{quoted(value)} is not a parameter and a condition, such as "amount max"')
    return value


EffectWord = Annotated[str, AfterValidator(_effect)]
ReasonWord = Annotated[str, AfterValidator(_reason)]
FindingWords = Annotated[Words, AfterValidator(_finding)]


class ExpectedObligation(Part):
    """One obligation as data, as OPA gives it. Lists may be left out when empty."""

    kind: Literal["redact", "redaction_terms", "filter_tools", "hide_tools", "set_header", "inject_credential"]
    target: Literal["request", "response"] | None = None
    detectors: Annotated[tuple[str, ...], LISTED] | None = None
    fields: Annotated[tuple[str, ...], LISTED] | None = None
    is_loose: bool | None = None
    numbers: bool | None = None
    passes_opaque: bool | None = None
    own: Annotated[tuple[dict[str, str], ...], LISTED] | None = None
    allowed: Annotated[tuple[str, ...], LISTED] | None = None
    hidden: Annotated[tuple[str, ...], LISTED] | None = None
    name: str | None = None
    value: str | None = None
    header: str | None = None
    credential: str | None = None
    prefix: str | None = None

    @model_validator(mode="after")
    def _has_the_members_of_its_kind(self) -> ExpectedObligation:
        members = _KINDS[self.kind]
        keys = self.model_fields_set - {"kind"}
        for member in sorted(keys.difference(members)):
            raise ValueError(f"{self.kind} has no {quoted(member)}; it has {', '.join(members)}")
        for member in members:
            if member not in _LEFT_OUT and member not in keys:
                raise ValueError(f"{self.kind} needs {quoted(member)}")
        return self

    @property
    def data(self) -> Mapping[str, Json]:
        """The obligation with every member of its kind, as decisions have it; lists sorted."""
        members: dict[str, Json] = {"kind": self.kind}
        for member in _KINDS[self.kind]:
            value = getattr(self, member)
            members[member] = _LEFT_OUT.get(member) if value is None else value
            if isinstance(value, tuple):
                members[member] = sorted(value, key=canonical)
        return members


class Expected(Part):
    """What is expected of a decision; what is left out is not looked at."""

    effect: EffectWord
    reason: ReasonWord | None = None
    policies: Annotated[tuple[Words, ...], LISTED, UNIQUE] | None = None
    obligations: Annotated[tuple[ExpectedObligation, ...], LISTED] | None = None
    findings: Annotated[tuple[FindingWords, ...], LISTED, UNIQUE] | None = None
    would: EffectWord | None = None
    approval: ExpectedApproval | None = None

    @model_validator(mode="after")
    def _can_be(self) -> Expected:
        if self.reason is not None and REASONS[Reason(self.reason)].effect.value != self.effect:
            explained = REASONS[Reason(self.reason)].effect.value
            raise ValueError(f"{self.reason} is a reason for {explained}, never for {self.effect}")
        if self.approval is not None and self.effect != Effect.APPROVAL_NEEDED.value:
            raise ValueError(f"only approval_needed asks for an approval, not {self.effect}")
        return self


class WrittenCase(Part):
    """One test as written."""

    name: Words
    call: TriedCall
    expect: Expected


def _kind_of_test(value: object) -> str:
    is_sequence = isinstance(value, WrittenSequence) or (isinstance(value, dict) and "sequence" in value)
    return "[set]" if is_sequence else "[own]"


WrittenTest = Annotated[
    Annotated[WrittenCase, Tag("[own]")] | Annotated[WrittenSequence, Tag("[set]")], Discriminator(_kind_of_test)
]


class CasesDocument(Part):
    """A document of tests: of single calls, and of sequences."""

    tests: Annotated[tuple[WrittenTest, ...], LISTED, NOT_EMPTY]


@dataclass(frozen=True, slots=True)
class Case:
    """One readable test, or a step of one, and where it was written. `lines` go from a member of `expect` to its line.

    `play` says of a step how it is played, None of a test of one call.
    """

    name: str
    call: TriedCall
    expect: Expected | ExpectedStep
    path: str
    line: int
    lines: Mapping[str, int]
    play: Play | None = None


def cases_of(sources: Mapping[str, str], loaded: Loaded) -> list[Case]:
    """Read tests, in order of file and place.

    `sources` go from a file's name, as messages shall show it, to its text. `loaded` are the documents the tests are
    about. Raises PolicyErrors with every problem of every file; a name that no document has is one.
    """
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in sorted(sources):
        documents, wrong = read_source(path, sources[path])
        problems += wrong
        names: set[str] = set()
        for source in documents:
            if is_about_identity(source):
                continue
            document, wrong = validated(CasesDocument, source)
            problems += wrong
            if document is None:
                continue
            for position, test in enumerate(document.tests):
                faults = [*_namesake(test, names), *_unknown(test, loaded)]
                problems += [
                    source.problem(("tests", position, *location), message, on_key=location[-3:-1] == _PARAMETERS)
                    for location, message in faults
                ]
                names.add(test.name)
                if isinstance(test, WrittenSequence):
                    cases += _steps(test, source, position, len(cases))
                else:
                    cases.append(_case(test, source, position))
    if problems:
        raise PolicyErrors(problems)
    return cases


def _case(test: WrittenCase, source: SourceDocument, position: int) -> Case:
    at: Location = ("tests", position)
    return Case(test.name, test.call, test.expect, source.path, source.at[at].line, _lines(source, at))


def _steps(test: WrittenSequence, source: SourceDocument, position: int, number: int) -> Iterator[Case]:
    """The steps of a sequence, which `number` tells from all others."""
    plays = plays_of(test, number)
    for step, (written, call, play) in enumerate(zip(test.sequence, test.calls, plays, strict=True)):
        at: Location = ("tests", position, "sequence", step)
        name = f"{test.name}, step {step + 1}"
        yield Case(name, call, written.expect, source.path, source.at[at].line, _lines(source, at), play)


def _lines(source: SourceDocument, at: Location) -> dict[str, int]:
    members = {**Expected.model_fields, **ExpectedStep.model_fields}
    places = {member: (*at, "expect", member) for member in members}
    return {member: source.at[place].line for member, place in places.items() if place in source.at}


def _namesake(test: WrittenCase | WrittenSequence, names: Collection[str]) -> Iterator[tuple[Location, str]]:
    if test.name in names:
        yield ("name",), "another test of this file has this name"


def _unknown(test: WrittenCase | WrittenSequence, loaded: Loaded) -> Iterator[tuple[Location, str]]:
    """Names no document has: the test would pass or fail for the wrong reason."""
    if isinstance(test, WrittenSequence):
        for position, step in enumerate(test.sequence):
            faults = call_faults(step.call, loaded) if step.call is not None else ()
            yield from ((("sequence", position, "call", *location), message) for location, message in faults)
        return
    call = test.call
    titles = {policy.title for policy in loaded.policies}
    for position, title in enumerate(test.expect.policies or ()):
        if title not in titles:
            yield ("expect", "policies", position), f"no policy is called {quoted(title)}{did_you_mean(title, titles)}"
    for location, message in call_faults(call, loaded):
        yield ("call", *location), message


def call_faults(call: TriedCall, loaded: Loaded) -> Iterator[tuple[Location, str]]:
    """What a call names that the catalogue does not have, each with its place inside the call."""
    if call.host:
        yield from _claimed_host(call.host, loaded)
    elif call.tool not in loaded.known_tools:
        near = did_you_mean(call.tool, loaded.known_tools)
        yield ("tool",), f"no tool {quoted(call.tool)} in the catalogue{near}"
    else:
        yield from _unknown_action(call, loaded.known_tools[call.tool])


def _unknown_action(call: TriedCall, entry: KnownTool) -> Iterator[tuple[Location, str]]:
    actions = entry.actions
    if actions is None or (entry.tool.is_mcp and is_method(call.action)):
        return  # an MCP server's methods, such as resources/read, are actions, too
    if call.action not in actions:
        near = did_you_mean(call.action, actions)
        yield ("action",), f"tool {quoted(call.tool)} has no action {quoted(call.action)}{near}"
        return
    declared = actions[call.action]
    if not declared or call.action in entry.open_actions:
        return
    for name in call.parameters:
        if name not in declared:
            near = did_you_mean(name, declared)
            message = f"action {quoted(call.action)} declares no parameter {quoted(name)}{near}"
            yield ("parameters", name), message


def _claimed_host(host: str, loaded: Loaded) -> Iterator[tuple[Location, str]]:
    for tool in loaded.tools:
        if tool.host == host and tool.port is None:
            yield ("host",), f"tool {quoted(tool.name)} answers there; write its tool and action"
