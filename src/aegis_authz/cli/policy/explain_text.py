"""How the explanation of a decision reads, for people and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.text import Text
from rich.tree import Tree

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.cli.consoles import table_console
from aegis_authz.cli.limits_text import limit_sentence
from aegis_authz.cli.policy.grant_text import narrowing_data
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.lab.explanation import ConditionState, Explanation, LookedAtCondition, LookedAtDocument
from aegis_authz.lab.explanation_outline import Branch, Span, Tone, decision_lines, outline
from aegis_authz.lab.met_limits import MetLimit
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.source.problems import printable

EFFECT_STYLES = {"allow": "green", "sanitize": "cyan", "approval_needed": "yellow", "deny": "red"}
"""The colours of effects."""

_WIDE = 1000
_MARKS: Mapping[ConditionState, tuple[str, str, str]] = {
    "held": ("\N{CHECK MARK}", "+", "green"),
    "failed": ("\N{BALLOT X}", "x", "red"),
    "not reached": ("\N{MIDDLE DOT}", "-", "dim"),
}
_STYLES: Mapping[Tone, str] = {"plain": "", "strong": "bold", "faint": "dim"}


@dataclass(frozen=True, slots=True)
class AgainstRecord:
    """What the record says that was explained again.

    `not_recorded` are sentences about what it does not hold. `difference` is "" where the answer is the same, None
    where there is none of policy to compare with. `revision_here` is "" where it is not known.
    """

    record: DecisionRecord
    file: str
    line: int
    not_recorded: tuple[str, ...]
    difference: str | None
    revision_here: str


@dataclass(frozen=True, slots=True)
class ExplanationReport:
    """All there is to say: the explanation, what to add in sentences, and the record it is of.

    `accounts` say by the ids of limits how they stand in the mesh, or stood when the call was recorded.
    """

    explanation: Explanation
    sentences: tuple[str, ...]
    record: AgainstRecord | None = None
    accounts: Mapping[str, LimitAnswer] = field(default_factory=dict)


def show_explanation(report: ExplanationReport) -> None:
    """Print the decision, then a tree of what led to it, then what there is to add."""
    console = table_console(_WIDE)
    for line in (*_header(report.explanation), *_record_lines(report.record)):
        console.print(line, soft_wrap=True)
    standings = {limit: limit_sentence(account) for limit, account in report.accounts.items()}
    console.print(_tree(outline(report.explanation, standings), "utf" in (console.encoding or "")))
    for sentence in report.sentences:
        console.print(Text(printable(sentence)), soft_wrap=True)


def explanation_json(report: ExplanationReport) -> str:
    """The same as one JSON object."""
    explanation = report.explanation
    members: dict[str, Json] = {
        "call": explanation.call.model_dump(mode="json"),
        "decision": decided_data(explanation.decision),
        "grant": [narrowing_data(narrowing) for narrowing in explanation.grant],
        "documents": [_document_data(document) for document in explanation.documents],
        "limits": [_limit_data(limit, report.accounts) for limit in explanation.limits],
        "notes": list(report.sentences),
    }
    if report.record is not None:
        members["record"] = _record_data(report.record)
    return json.dumps(members, indent=2)


def _limit_data(limit: MetLimit, accounts: Mapping[str, LimitAnswer]) -> Json:
    account = accounts.get(limit.id)
    standing = None if account is None else account.model_dump(include={"currency", "used", "left", "of", "resets_at"})
    return {**dataclasses.asdict(limit), "account": standing}


def effect_text(effect: str) -> Text:
    """An effect in its colour."""
    return Text(effect, style=EFFECT_STYLES.get(effect, ""))


def _header(explanation: Explanation) -> Iterator[Text]:
    data = decided_data(explanation.decision)
    effect = str(data["effect"])
    detail = printable(f": {data['detail']}") if data["detail"] else ""
    yield Text.assemble(
        (effect.upper(), f"bold {EFFECT_STYLES.get(effect, '')}"), " ", (str(data["reason"]), "bold"), detail
    )
    yield from map(_line, decision_lines(explanation))


def _line(spans: Sequence[Span]) -> Text:
    return Text.assemble(*((span.text, _style(span)) for span in spans))


def _style(span: Span) -> str:
    return EFFECT_STYLES.get(span.text, "") if span.tone == "effect" else _STYLES[span.tone]


def _record_lines(against: AgainstRecord | None) -> Iterator[Text]:
    if against is None:
        return
    record = against.record
    answer = f"{record.effect.value} {record.reason.value}"
    yield Text(printable(f"record {record.decision_id} ({against.file}:{against.line}), read without verifying"))
    if against.difference is None:
        yield Text(printable(f"the recorded answer, {answer}, is not one of policy: not compared"))
    elif against.difference:
        yield Text(printable(f"the answer differs: {against.difference}"), style="yellow")
    else:
        yield Text(printable(f"the answer is the recorded one, {answer}"))
    for sentence in (*against.not_recorded, *_revision_sentence(against)):
        yield Text(printable(sentence), style="yellow")


def _revision_sentence(against: AgainstRecord) -> Iterator[str]:
    recorded = against.record.revision
    if not against.revision_here:
        yield f"recorded under revision {recorded}; which revision these documents make cannot be told here"
    elif against.revision_here != recorded:
        yield f"recorded under revision {recorded}; these documents make revision {against.revision_here}"


def _tree(branch: Branch, utf: bool) -> Tree:
    tree = Tree(_marked(branch, utf))
    for below in branch.branches:
        tree.children.append(_tree(below, utf))
    return tree


def _marked(branch: Branch, utf: bool) -> Text:
    if branch.state is None:
        return _line(branch.spans)
    sign, plain, style = _MARKS[branch.state]
    return Text.assemble((sign if utf else plain, style), " ", _line(branch.spans))


def _document_data(document: LookedAtDocument) -> Mapping[str, Json]:
    return {
        "name": document.name,
        "mode": document.mode,
        "file": document.path,
        "line": document.line,
        "regions": None if document.regions is None else list(document.regions),
        "outside": document.outside,
        "rules": [
            {
                "id": rule.id,
                "outcome": rule.outcome,
                "file": rule.path,
                "line": rule.line,
                "conditions": list(map(_condition_data, rule.conditions)),
            }
            for rule in document.rules
        ],
    }


def _condition_data(condition: LookedAtCondition) -> Mapping[str, Json]:
    return {
        "parameter": condition.parameter,
        "condition": condition.condition,
        "wanted": condition.limit,
        "seen": condition.value,
        "there": condition.there,
        "state": condition.state,
        "failing": condition.failing,
        "line": condition.line,
    }


def _record_data(against: AgainstRecord) -> Mapping[str, Json]:
    record = against.record
    return {
        "decision_id": record.decision_id,
        "file": against.file,
        "line": against.line,
        "effect": record.effect.value,
        "reason": record.reason.value,
        "would": record.would or None,
        "findings": [f"{finding.parameter} {finding.condition}" for finding in record.findings],
        "revision": record.revision,
        "revision_here": against.revision_here or None,
        "not_recorded": list(against.not_recorded),
        "same_answer": None if against.difference is None else against.difference == "",
        "difference": against.difference,
    }
