"""What a decision record tells of its call, held against what is decided of the call now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import FilterTools, HideTools, Redact, RedactionTerms
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, FindingName, FlatObligation
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.replay import NotJudged, assumed, replayed
from aegis_authz.lab.calls import TriedCall, call_of
from aegis_authz.lab.cases import REASONS_OF_POLICY
from aegis_authz.lab.explanation import Explanation
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import printable

_EITHER = ("ping", "response")  # methods of MCP whose names a tool may have, too
_VERSION_1 = (
    "a record of version 1 tells neither environment, scheme and port, nor whom the agent served and the age of its "
    "token: none, https, nobody and 0 are taken; give others with --context"
)


def recorded_call(record: DecisionRecord, loaded: Loaded) -> tuple[TriedCall, CallKind]:
    """The recorded call and how it came about. What a record of version 1 does not hold is assumed.

    Raises NotJudged for a call that was refused before policy could be asked.
    """
    is_whole = record.version > 1 or record.identity is None
    question = replayed(record if is_whole else assumed(record, kind_of_version_1(record, loaded)))
    try:
        return call_of(question), question.call.kind
    except (ValueError, OverflowError, OSError) as fault:
        raise NotJudged(f"the record holds no readable call: {str(fault).splitlines()[0]}") from None


def not_recorded(record: DecisionRecord, explanation: Explanation, loaded: Loaded) -> tuple[str, ...]:
    """In sentences, what the record does not hold of the call, and what of it the rules asked for in vain.

    `explanation` is of the call as it was judged now, with what was given beside the record.
    """
    notes = [*_parameters_left_out(record, loaded)]
    if notes:
        lacking = sorted(
            {
                condition.parameter
                for document in explanation.documents
                for rule in document.rules
                for condition in rule.conditions
                if not condition.there and not condition.parameter.startswith("context.")
            }
        )
        if lacking:
            notes.append(f"the rules ask for {', '.join(map(printable, lacking))}: give the values with --param")
    return (*notes, _VERSION_1) if record.version == 1 else tuple(notes)


def difference(record: DecisionRecord, explanation: Explanation) -> str | None:
    """How the answer now differs from the recorded one, in a sentence; "" when it does not.

    None when the recorded answer is not one of policy, so that there is nothing to compare.
    """
    approved = record.reason is Reason.APPROVED
    if record.reason not in REASONS_OF_POLICY and not approved:
        return None
    decided = explanation.decision
    if isinstance(decided, Refused):
        now = _Answer(Effect.DENY, decided.reason, "", ())
    else:
        would = "" if decided.would is None else decided.would.value
        findings = (FindingName(finding.parameter, finding.condition) for finding in decided.findings)
        now = _Answer(decided.effect, decided.reason, would, _sorted(findings))
    before = _Answer(record.effect, record.reason, record.would, _sorted(record.findings))
    if approved:  # policy asked for the approval that was given
        before = replace(before, effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED, findings=())
        now = replace(now, findings=())
    return "" if before == now else f"recorded was {before.words()}; now it is {now.words()}"


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of a decision, what a record and an explanation both tell."""

    effect: Effect
    reason: Reason
    would: str
    findings: tuple[FindingName, ...]

    def words(self) -> str:
        text = f"{self.effect.value} {self.reason.value}"
        if self.would:
            text += f", shadow would {self.would}"
        names = ", ".join(f"{finding.parameter}:{finding.condition}" for finding in self.findings)
        return f"{text} ({names})" if names else text


def _sorted(findings: Iterable[FindingName]) -> tuple[FindingName, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.parameter, finding.condition)))


def kind_of_version_1(record: DecisionRecord, loaded: Loaded) -> CallKind:
    """What kind of call a record of version 1 is of, by the catalogue. Raises NotJudged where it cannot be told."""
    if not record.tool:
        if record.reason not in REASONS_OF_POLICY:
            raise NotJudged(f"the call was refused with {record.reason.value} before it was known what it asks for")
        return CallKind.UNCLAIMED
    entry = loaded.known_tools.get(record.tool)
    if entry is None or not entry.tool.is_mcp:
        return CallKind.ACTION
    if record.action in _EITHER:
        raise NotJudged(
            f"the record does not tell whether {record.action} was the method of MCP or a tool of that name"
        )
    return CallKind.MCP_SESSION if is_method(record.action) else CallKind.MCP_TOOL


def _parameters_left_out(record: DecisionRecord, loaded: Loaded) -> list[str]:
    if not record.tool or record.withheld == 0:
        return []
    if record.effect is Effect.SANITIZE or any(map(_redacts, record.obligations)):
        return ["the record of a redacted call holds none of its parameters"]
    entry = loaded.known_tools.get(record.tool)
    actions = entry.tool.actions if entry is not None else ()
    if record.parameters or any(action.parameters for action in actions if action.name == record.action):
        left_out = f"parameters left out of the record: {record.withheld}; only declared ones are recorded"
        return [left_out] if record.withheld else []
    action = printable(record.action)
    return [
        f"the record holds no parameters: only declared ones are recorded, and the catalogue declares none of {action}"
    ]


def _redacts(obligation: object) -> bool:
    if isinstance(obligation, FlatObligation):
        return obligation.text.startswith(("redact:", "filter_tools"))
    return isinstance(obligation, Redact | RedactionTerms | FilterTools | HideTools)
