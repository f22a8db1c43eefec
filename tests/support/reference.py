"""The policy language once more, slowly and plainly, from docs/policy-reference.md alone. For tests: it decides nothing.

A comparison is True, False, or None where what it needs cannot be read. In `allowed_tools` only True holds; a rule of
`denied_tools` is excused only by False.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from aegis_authz.policy.language.document import EgressHost, PolicyDocument
from aegis_authz.policy.language.rule import Conditions, DenyRule, ToolRule, Waiver
from aegis_authz.policy.language.values import ParameterRule, TimeRule, TimeWindow
from tests.support.reference_comparisons import (
    ABSENT,
    Held,
    compared,
    comparisons,
    conforms,
    found,
    host_matches,
    is_kind,
    kind,
    of_parameters_alone,
)

Call = Mapping[str, Any]
_STRICTNESS = ["allow", "sanitize", "approval_needed", "deny"]
_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@dataclass(frozen=True)
class Outcome:
    """What is compared with the answer of the real thing."""

    effect: str
    reason: str
    obligations: tuple[tuple[Any, ...], ...]
    would: str | None
    limits: frozenset[tuple[str, int]] = frozenset()
    """The counts that the call meets: the name of the document, and how many calls it allows."""


@dataclass(frozen=True)
class Verdict:
    """What one rule says. `faults` are "missing" and "type" of parameters."""

    effect: str
    faults: frozenset[str] = frozenset()
    rule: ToolRule | None = None
    document: str = ""


def decide(documents: Sequence[PolicyDocument], call: Call, regions: Mapping[str, str]) -> Outcome:
    """The decision on one question, as OPA is asked it."""
    about = [one for one in documents if _covers(one, call["subject"]["properties"])]
    enforced = [one for one in about if one.mode == "enforce"]
    observed = [one for one in about if one.mode == "shadow"]
    would = _judged(observed, call, regions).effect if observed else None
    if enforced:
        said = _judged(enforced, call, regions)
        met = frozenset() if said.effect == "deny" else frozenset(_met(enforced, call))
        return Outcome(said.effect, said.reason, said.obligations, would, met)
    if not observed:
        return Outcome("deny", "POLICY_ABSENT", (), None)
    if call["resource"]["type"] == "unclaimed":
        return Outcome("deny", "EGRESS_DENIED", (), would)
    return Outcome("allow", "SHADOWED", (), would)


def _covers(document: PolicyDocument, who: Mapping[str, str]) -> bool:
    pairs = ((document.org, who["org"]), (document.tenant, who["tenant"]), (document.agent, who["agent"]))
    return all(name.startswith(wanted[:-1]) if wanted.endswith("*") else name == wanted for wanted, name in pairs)


def _judged(documents: Sequence[PolicyDocument], call: Call, regions: Mapping[str, str]) -> Outcome:
    if call["resource"]["type"] == "unclaimed":
        place = call["resource"]["properties"]
        known = any(_knows(entry, place) for one in documents for entry in one.egress.allow)
        return Outcome("deny", "TOOL_UNKNOWN" if known else "EGRESS_DENIED", (), None)
    verdicts = [*_verdicts(documents, call, regions)]
    if not verdicts:
        return Outcome("deny", "POLICY_DENIED", (), None)
    effect = max((one.effect for one in verdicts), key=_STRICTNESS.index)
    if effect == "deny":
        faults = {fault for one in verdicts if one.effect == "deny" for fault in one.faults}
        reason = (
            "PARAMETER_MISSING" if "missing" in faults else "PARAMETER_TYPE" if "type" in faults else "POLICY_DENIED"
        )
        return Outcome("deny", reason, (), None)
    rules = [one.rule for one in verdicts if one.rule is not None]
    headers = {header for rule in rules for header in _headers(rule)}
    if len({name for name, _ in headers}) < len(headers):
        return Outcome("deny", "POLICY_DENIED", (), None)
    if effect == "approval_needed":
        if not _approvable(verdicts):
            return Outcome("deny", "POLICY_DENIED", (), None)
        eased = [_unasked(one, documents, call, regions) for one in verdicts]
        effect = max((one.effect for one in eased), key=_STRICTNESS.index)
    reason = {"allow": "ALLOWED", "sanitize": "SANITIZED", "approval_needed": "APPROVAL_NEEDED"}[effect]
    return Outcome(effect, reason, (*_redactions(rules), *sorted(headers)), None)


def _met(documents: Sequence[PolicyDocument], call: Call) -> Iterator[tuple[str, int]]:
    tool, action = call["resource"]["id"], call["action"]["name"]
    for document in documents:
        for rule in document.allowed_tools:
            if rule.name == tool and {action, "*"} & set(rule.actions):
                yield from ((document.title, one.max) for one in rule.count or ())
        for entry in document.limits:
            names = entry.actions or ("*",)
            folded = call["resource"]["type"] != "http" and _spelling(action) in set(map(_spelling, names))
            if (entry.tools is None or tool in entry.tools) and ({action, "*"} & set(names) or folded):
                yield from ((document.title, one.max) for one in entry.count or ())


def _knows(entry: EgressHost, place: Mapping[str, Any]) -> bool:
    return (
        host_matches(place["host"], [entry.host])
        and (entry.ports is None or place["port"] in entry.ports)
        and (entry.schemes is None or place["scheme"] in entry.schemes)
        and (entry.methods is None or place["method"] in entry.methods)
    )


def _verdicts(documents: Sequence[PolicyDocument], call: Call, regions: Mapping[str, str]) -> Iterator[Verdict]:
    tool, action = call["resource"]["id"], call["action"]["name"]
    for document in documents:
        if document.regions is not None and regions.get(tool) not in document.regions:
            yield Verdict("deny")
        for rule in document.allowed_tools:
            if rule.name == tool and {action, "*"} & set(rule.actions):
                yield replace(_allowing(rule, call, regions.get(tool)), document=document.title)
        names = {name for rule in document.allowed_tools if rule.name == tool for name in rule.actions} - {"*"}
        if (
            call["resource"]["type"] != "http"
            and action not in names
            and _spelling(action) in set(map(_spelling, names))
        ):
            yield Verdict("deny")
        for denial in document.denied_tools:
            spellings = {_spelling(one) for one in denial.actions} if call["resource"]["type"] != "http" else set()
            if denial.name == tool and ({action, "*"} & set(denial.actions) or _spelling(action) in spellings):
                yield from _denying(denial, call, regions.get(tool))


def _unasked(verdict: Verdict, documents: Sequence[PolicyDocument], call: Call, regions: Mapping[str, str]) -> Verdict:
    """The verdict, milder where a waiver stands for the approval that it asks for."""
    rule = verdict.rule
    waivers = [waiver for document in documents for waiver in document.waivers]
    if verdict.effect != "approval_needed" or rule is None:
        return verdict
    if not any(_waives(waiver, rule, verdict.document, call, regions) for waiver in waivers):
        return verdict
    return replace(verdict, effect="sanitize" if rule.sanitize is not None else "allow")


def _waives(waiver: Waiver, rule: ToolRule, document: str, call: Call, regions: Mapping[str, str]) -> bool:
    tool, day = call["resource"]["id"], datetime.fromtimestamp(call["context"]["time"] // 1_000_000_000, UTC).date()
    groups = set(rule.approval.groups) if rule.approval is not None else set()
    examined = [*_examined(waiver.conditions, call, regions.get(tool), denying=False)]
    return (
        (waiver.name, document) == (tool, *(name for name in waiver.of if name == document))
        and call["action"]["name"] in waiver.actions
        and (not groups or (bool(waiver.groups) and set(waiver.groups) <= groups))
        and (
            rule.approval is None
            or (rule.approval.approvals == 1 and not rule.approval.confirm and rule.approval.proof == "any")
        )
        and all(fault in ("", "absent") and all(held is True for held, _ in checks) for fault, _, checks in examined)
        and waiver.since <= day.isoformat() <= waiver.until
    )


def _spelling(name: str) -> str:
    return "".join(char for char in name if char.isprintable()).strip().casefold()


def _allowing(rule: ToolRule, call: Call, region: str | None) -> Verdict:
    faults, failed = set(), set()
    for fault, of_context, checks in _examined(rule.conditions, call, region, denying=False):
        if fault and fault != "absent":
            failed.add("deny")
            faults |= set() if of_context else {fault}
        for held, otherwise in checks:
            if isinstance(held, str):  # what it is compared with; no approval makes up for that
                failed.add("deny")
                faults.add(held)
            elif held is not True:
                failed.add(otherwise)
    if "deny" in failed:
        return Verdict("deny", frozenset(faults))
    if "approval_needed" in failed or (rule.approval is not None and rule.approval.always):
        return Verdict("approval_needed", rule=rule)
    return Verdict("sanitize" if rule.sanitize is not None else "allow", rule=rule)


def _denying(rule: DenyRule, call: Call, region: str | None) -> Iterator[Verdict]:
    faults = set()
    for fault, of_context, checks in _examined(rule.conditions, call, region, denying=True):
        if fault == "absent" or any(held is False for held, _ in checks):
            return
        faults |= {fault} - {""} if not of_context else set()
        faults |= {held for held, _ in checks if isinstance(held, str)}
    yield Verdict("deny", frozenset(faults))


Examined = tuple[str, bool, list[tuple[Held, str]]]
"""A fault ("", "absent", "missing" or "type"), whether it is about the context, and what each comparison found."""


def _examined(conditions: Conditions, call: Call, region: str | None, denying: bool) -> Iterator[Examined]:
    parameters = call["action"]["properties"]
    asked = {name: list(rules) for name, rules in conditions.parameters.items()}
    for key, limit in conditions.short_forms.items():
        word, name = _short(key, conditions)
        asked.setdefault(name, []).append(ParameterRule.model_validate({word: limit}))
    for name, rules in asked.items():
        path = (
            [part.replace("~1", "/").replace("~0", "~") for part in name[1:].split("/")] if name[0] == "/" else [name]
        )
        optional = any(one.optional or one.exists is False or (denying and one.exists is True) for one in rules)
        nullable = any(rule.optional for rule in rules)
        fault, checks = _one(rules, found(parameters, path, optional, nullable), optional, parameters, denying)
        yield fault, False, checks
    if conditions.arguments is not None:
        yield "", False, [(conforms(conditions.arguments, parameters), "deny")]
    around = {**call.get("context", {}), **({"region": region} if region else {})}
    for name in ("environment", "source", "on_behalf_of", "acted_by", "session", "token_age", "region"):
        rule: ParameterRule | None = getattr(conditions.context, name)
        if rule is not None:
            optional = rule.optional or rule.exists is False or (denying and rule.exists is True)
            kind = {"acted_by": "array", "token_age": "number"}.get(name, "string")
            typed = rule.model_copy(update={"type": kind})
            fault, checks = _one([typed], around.get(name, ABSENT), optional, {}, denying or kind != "number")
            yield fault, True, checks
    if conditions.context.time is not None:
        yield "", True, list(_times(conditions.context.time, around["time"]))


def _short(key: str, conditions: Conditions) -> tuple[str, str]:
    for prefix, word in (("approval_needed_over_", "approval_needed_over"), ("max_", "max"), ("min_", "min")):
        if key.startswith(prefix):
            return word, key.removeprefix(prefix)
    bounded = {other[4:] for other in conditions.short_forms if other[:4] in ("max_", "min_")}
    return key, bounded.pop() if bounded else "amount"


def _one(
    rules: Sequence[ParameterRule], value: Any, optional: bool, parameters: Mapping[str, Any], denying: bool
) -> tuple[str, list[tuple[Held, str]]]:
    forbidden = any(one.exists is False for one in rules)
    if value is ABSENT:
        return ("absent" if optional and not (denying and forbidden) else "" if optional else "missing"), []
    if not is_kind(kind(rules), value):
        return "type", []
    held_by: list[tuple[Held, str]] = []
    for rule in rules:
        held_by += [(held, rule.otherwise) for held in comparisons(rule, value, parameters)]
        held_by += [(held, rule.otherwise) for held in of_parameters_alone(rule, value)]
        if rule.approval_needed_over is not None:
            held_by.append((compared("max", value, rule.approval_needed_over, parameters), "approval_needed"))
        if rule.approval_needed_in is not None:
            held_by.append((value not in rule.approval_needed_in, "approval_needed"))
    upper = any(one.max is not None or one.under is not None or one.approval_needed_over is not None for one in rules)
    lower = any(one.min is not None or one.over is not None for one in rules)
    if upper and not lower and not denying:
        held_by.append((value >= 0, "deny"))
    return "", held_by


def _times(rule: TimeRule, now: int) -> Iterator[tuple[Held, str]]:
    moment = datetime.fromtimestamp(now // 1_000_000_000, UTC)
    if rule.within is not None:
        yield any(_falls_in(window, moment) for window in rule.within), rule.otherwise
    if rule.not_within is not None:
        yield not any(_falls_in(window, moment) for window in rule.not_within), rule.otherwise


def _falls_in(window: TimeWindow, moment: datetime) -> bool:
    local = moment.astimezone(ZoneInfo(window.zone))
    start, end = window.hours.split("-")
    day = local.date().isoformat()
    return (
        (window.weekdays is None or _DAYS[local.weekday()] in window.weekdays)
        and start <= local.strftime("%H:%M") < end
        and (window.since is None or day >= window.since)
        and (window.until is None or day <= window.until)
        and day not in window.holidays
    )


def _approvable(verdicts: Sequence[Verdict]) -> bool:
    demanded = [
        set(one.rule.approval.groups)
        for one in verdicts
        if one.effect == "approval_needed" and one.rule is not None and one.rule.approval and one.rule.approval.groups
    ]
    return not demanded or bool(set.intersection(*demanded))


def _headers(rule: ToolRule) -> Iterator[tuple[str, tuple[str, ...]]]:
    if rule.obligations is not None:
        yield from ((one.name, ("set", one.value)) for one in rule.obligations.set_headers)
        yield from ((one.header, ("inject", one.credential, one.prefix)) for one in rule.obligations.inject_credentials)


def _redactions(rules: Sequence[ToolRule]) -> Iterator[tuple[Any, ...]]:
    for target in ("request", "response"):
        wanted = [one for rule in rules if rule.sanitize and (one := getattr(rule.sanitize, target)) is not None]
        if wanted:
            detectors = sorted({name for one in wanted for name in one.detectors})
            yield target, tuple(detectors), tuple(sorted({name for one in wanted for name in one.fields}))
