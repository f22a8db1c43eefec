"""How the explanation of a decision reads, for people and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rich.text import Text
from rich.tree import Tree

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.cli.consoles import table_console
from aegis_authz.cli.limits_text import limit_sentence
from aegis_authz.cli.policy.grant_text import narrowing_data, narrowing_lines
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.lab.explanation import ConditionState, Explanation, LookedAtCondition, LookedAtDocument, LookedAtRule
from aegis_authz.lab.met_limits import MetLimit
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.compile.conditions import path_of
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.problems import printable

EFFECT_STYLES = {"allow": "green", "sanitize": "cyan", "approval_needed": "yellow", "deny": "red"}
"""The colours of effects."""

_WIDE = 1000
_LONGEST = 100
_MARKS: Mapping[ConditionState, tuple[str, str, str]] = {
    "held": ("\N{CHECK MARK}", "+", "green"),
    "failed": ("\N{BALLOT X}", "x", "red"),
    "not reached": ("\N{MIDDLE DOT}", "-", "dim"),
}
_FAILING = {"deny": "deny", "approval_needed": "approval_needed", "excuses": "the rule does not apply"}


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
    console.print(_tree(report.explanation, report.accounts, "utf" in (console.encoding or "")))
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


def value_text(value: Json) -> str:
    """A value as JSON, cut to what a line can hold."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _header(explanation: Explanation) -> Iterator[Text]:
    data = decided_data(explanation.decision)
    effect = str(data["effect"])
    yield Text.assemble(
        (effect.upper(), f"bold {EFFECT_STYLES.get(effect, '')}"), " ", (str(data["reason"]), "bold"), _detail(data)
    )
    if data["policies"]:
        yield Text(printable(f"decided by: {_listed(data['policies'])}"))
    for obligation in _objects(data["obligations"]):
        members = (f"{name} {_listed(value)}" for name, value in obligation.items() if name != "kind" and value != [])
        yield Text(printable(f"obligation: {obligation['kind']}: {', '.join(members)}"))
    approval = data["approval"]
    if isinstance(approval, Mapping):
        groups, approvals = approval["groups"], approval["approvals"]
        how_many = "one" if approvals == 1 else str(approvals)
        approvers = f"{how_many} of {_listed(groups)}" if groups else f"{how_many} of all approvers"
        more = "".join(_manner(approval))
        yield Text(printable(f"approval: by {approvers}, within {approval['expires_in']} seconds{more}"))
    if data["would"] is not None:
        yield Text.assemble("shadow documents would have decided: ", effect_text(str(data["would"])))


def _manner(approval: Mapping[str, Json]) -> Iterator[str]:
    """How the request waits and who may say so, where that is not as it mostly is."""
    if approval.get("proof") == "signed_in":
        yield ", signed in"
    if "hold" in approval:
        yield f"; the request is kept open {approval['hold']} seconds"
        yield ", then denied" if approval.get("unattended") == "deny" else ""


def _detail(data: Mapping[str, Json]) -> str:
    return printable(f": {data['detail']}") if data["detail"] else ""


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


def _tree(explanation: Explanation, accounts: Mapping[str, LimitAnswer], utf: bool) -> Tree:
    call = explanation.call
    target = f"{call.method} {call.host}" if call.host else f"{call.tool} {call.action}"
    tree = Tree(Text(printable(f"{call.agent}: {target}"), style="bold"))
    for number, narrowing in enumerate(explanation.grant, start=1):
        heading = f"grant {number} of {len(explanation.grant)}" if len(explanation.grant) > 1 else "grant"
        branch = tree.add(Text(heading, style="bold"))
        for holds, line in narrowing_lines(narrowing):
            branch.add(Text.assemble(_mark("held" if holds else "failed", utf), f" {printable(line)}"))
    for document in explanation.documents:
        title = Text.assemble(
            (printable(document.name), "bold"),
            f" {document.mode}",
            (f"  {_place(document.path, document.line)}", "dim"),
        )
        branch = tree.add(title)
        if document.outside:
            branch.add(_outside(document, utf))
        for rule in document.rules:
            _add_rule(branch, rule, explanation, utf)
        if not document.rules and not call.host and not is_method(call.action):
            branch.add(Text("no rule lists the action", style="dim"))
        for limit in explanation.limits:
            if limit.policy == document.name and document.mode == "enforce":
                branch.add(_limit(limit, accounts.get(limit.id)))
    return tree


def _limit(limit: MetLimit, account: LimitAnswer | None) -> Text:
    """A limit that the call meets, and how it stands where a mesh told."""
    per = "each agent by itself" if limit.per == "agent" else "all agents of the tenant together"
    terms = Text.assemble("limit: ", (printable(limit.name), "bold"), f", {per}, else ", effect_text(limit.on_exceed))
    if account is not None:
        terms.append(f": {limit_sentence(account)}")
    return terms.append(f"  {_place(limit.path, limit.line)}", style="dim")


def _outside(document: LookedAtDocument, utf: bool) -> Text:
    regions = ", ".join(document.regions or ())
    return Text.assemble(
        _mark("failed", utf), printable(f" the tool is in none of the regions {regions}"), " -> ", effect_text("deny")
    )


def _add_rule(branch: Tree, rule: LookedAtRule, explanation: Explanation, utf: bool) -> None:
    outcome = Text("does not apply", style="dim") if rule.outcome == "excused" else effect_text(rule.outcome)
    title = Text.assemble(printable(rule.id), ": ", outcome, (f"  {_place(rule.path, rule.line)}", "dim"))
    listed = branch.add(title)
    for condition in rule.conditions:
        if (condition.parameter, condition.condition) != ("context.time", "type"):  # every call has a time
            listed.add(_condition(condition, rule, explanation, utf))
    if not rule.conditions:
        listed.add(Text("no conditions", style="dim"))


def _condition(condition: LookedAtCondition, rule: LookedAtRule, explanation: Explanation, utf: bool) -> Text:
    line = Text.assemble(_mark(condition.state, utf), " ", (printable(condition.parameter), "bold"), " ")
    line.append(printable(condition.condition) + _reference(condition, explanation))
    if condition.condition == "present":
        line.append(": it is not there")
    elif condition.there:
        line.append(f": seen {value_text(condition.value)}")
    if condition.state == "failed":
        line.append_text(Text.assemble(" -> ", _meaning(condition)))
        if rule.denies and condition.failing == "deny" and condition.condition not in ("present", "type"):
            line.append(" (it could not be read, which excuses nothing)")
    elif condition.state == "not reached":
        line.append(" (not reached)", style="dim")
    elif condition.condition == "present":
        line.append(", as it may be", style="dim")
    else:
        line.append_text(Text.assemble((" (else ", "dim"), _meaning(condition), (")", "dim")))
    if condition.line is not None:
        line.append(f"  line {condition.line}", style="dim")
    elif condition.condition not in ("present", "type"):
        line.append("  implied by the upper bound", style="dim")
    return line


def _reference(condition: LookedAtCondition, explanation: Explanation) -> str:
    """What the value is compared with; of another parameter, its value, too."""
    if condition.limit is None:
        return ""
    if (
        isinstance(condition.limit, Mapping)
        and condition.limit.keys() == {"parameter"}
        and condition.condition != "schema"
    ):
        name = str(condition.limit["parameter"])
        value = inside(explanation.call.parameters, path_of(name))  # type: ignore[arg-type]  # it was read as Json
        text = "nothing" if value is None else value_text(value)
        return printable(f" the parameter {name}, {text}")
    return f" {value_text(condition.limit)}"


def _meaning(condition: LookedAtCondition) -> Text:
    return Text(_FAILING[condition.failing], style=EFFECT_STYLES.get(condition.failing, ""))


def _mark(state: ConditionState, utf: bool) -> tuple[str, str]:
    sign, plain, style = _MARKS[state]
    return (sign if utf else plain, style)


def _place(path: str, line: int) -> str:
    return printable(f"{path}:{line}")


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


def _objects(value: Json) -> list[Mapping[str, Json]]:
    return [element for element in value if isinstance(element, Mapping)] if isinstance(value, list) else []


def _listed(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_listed(element) for element in value)
    return value if isinstance(value, str) else json.dumps(value)
