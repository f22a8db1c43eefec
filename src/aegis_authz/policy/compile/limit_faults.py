"""What is wrong with the limits of a document: against themselves, and against the tools there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from aegis_authz.core.limit import Exceed
from aegis_authz.policy.compile.comparisons import Fault
from aegis_authz.policy.compile.limit_terms import LimitTerms, basis_of, size, terms_of
from aegis_authz.policy.compile.limits import effective, written_limits
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.document import PolicyDocument, RuleSet
from aegis_authz.policy.language.document_limits import LimitEntry
from aegis_authz.policy.language.limits import BudgetLimit, DistinctLimit, FlagTerms, Limited
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.source.problems import did_you_mean, quoted


def asks_beyond(limited: Limited) -> bool:
    """Whether a call beyond one of the limits needs an approval."""
    return any(effective(limited, terms) is Exceed.APPROVAL_NEEDED for _, _, terms in written_limits(limited))


def confirm_faults(
    approval: Approval | None, actions: Mapping[str, Mapping[str, str]], names: Collection[str]
) -> Iterator[str]:
    """Parameters that an approver should type and that an action does not declare."""
    for name in names:
        for parameter in () if approval is None or not actions[name] else approval.confirm:
            if parameter not in actions[name]:
                near = did_you_mean(parameter, actions[name])
                yield f"action {quoted(name)} declares no parameter {quoted(parameter)}{near}"


def rule_limit_faults(rule: ToolRule, document: RuleSet, tool: KnownTool | None) -> Iterator[Fault]:
    """What is wrong with the limits of a rule, each with its place inside."""
    for word in ("on_exceed", "per"):
        if not rule.is_limited and getattr(rule, word) is not None:
            yield (word,), "nothing in this rule is limited: add budget, rate_limit, count, distinct or concurrency"
    yield from _limited_faults(rule, document)
    yield from _parameter_faults(rule, [] if tool is None else [tool], rule.actions)


def document_limit_faults(
    document: RuleSet, tools: Mapping[str, KnownTool], tool_names: Collection[str], detectors: Collection[str] | None
) -> Iterator[Fault]:
    """What is wrong with the entries of `limits`, each with its place in the document."""
    names: set[str] = set()
    for position, entry in enumerate(document.limits):
        if entry.name is not None and entry.name in names:
            yield ("limits", position, "name"), f"another entry is called {quoted(entry.name)}"
        names.add(entry.name or "")
        for at, message in _entry_faults(entry, document, tools, tool_names, detectors):
            yield ("limits", position, *at), message


def _entry_faults(
    entry: LimitEntry,
    document: RuleSet,
    tools: Mapping[str, KnownTool],
    tool_names: Collection[str],
    detectors: Collection[str] | None,
) -> Iterator[Fault]:
    for position, name in enumerate(entry.tools or ()):
        if name not in tool_names:
            near = did_you_mean(name, tool_names)
            yield ("tools", position), f"no tool {quoted(name)} in the catalogue{near}"
    known_tools = [tools[name] for name in entry.tools or tools if name in tools]
    if all(name in tools for name in entry.tools or ()):
        yield from _action_faults(entry, known_tools)
    yield from _limited_faults(entry, document)
    if entry.tools is not None:
        yield from _parameter_faults(entry, known_tools, entry.actions or (ANY,))
    exceeds = {effective(entry, terms) for _, _, terms in written_limits(entry)}
    if entry.sanitize is not None and Exceed.SANITIZE not in exceeds:
        yield ("sanitize",), "nothing here is sanitized beyond its limit; add on_exceed: sanitize"
    for tool in known_tools if entry.tools is not None else ():
        actions = tool.actions or {}
        listed = entry.actions or (ANY,)
        names = actions if ANY in listed else [name for name in listed if name in actions]
        for message in confirm_faults(entry.approval, actions, names):
            yield ("approval", "confirm"), message
    if entry.approval is not None and entry.approval.always:
        yield ("approval", "always"), "a limit asks for approvals beyond it alone; put always into a rule"
    elif entry.approval is not None and Exceed.APPROVAL_NEEDED not in exceeds:
        yield ("approval",), "nothing here asks for an approval; add on_exceed: approval_needed"
    if detectors is not None and entry.sanitize is not None:
        for side, redaction in (("request", entry.sanitize.request), ("response", entry.sanitize.response)):
            for position, name in enumerate(() if redaction is None else redaction.detectors):
                if name not in detectors:
                    near = did_you_mean(name, detectors)
                    yield ("sanitize", side, "detectors", position), f"no detector {quoted(name)}{near}"


def _action_faults(entry: LimitEntry, known_tools: Sequence[KnownTool]) -> Iterator[Fault]:
    for position, name in enumerate(entry.actions or ()):
        if name == ANY and len(entry.actions or ()) > 1:
            yield ("actions", position), '"*" already means every action; leave the others out'
        if name == ANY or any(_may_have(tool, name) for tool in known_tools):
            continue
        listed = {action for tool in known_tools for action in tool.actions or ()}
        yield ("actions", position), f"none of the tools has an action {quoted(name)}{did_you_mean(name, listed)}"
    yield from _tool_faults(entry, known_tools)


def _tool_faults(entry: LimitEntry, known_tools: Sequence[KnownTool]) -> Iterator[Fault]:
    """Tools that are named and that nothing of the entry is about: what is called there is not limited."""
    names = entry.actions or ()
    if ANY in names or not any(_may_have(tool, name) for tool in known_tools for name in names):
        return
    for position, tool in enumerate(known_tools):
        if not any(_may_have(tool, name) for name in names):
            listed = ", ".join(map(quoted, names))
            yield ("tools", position), f"limits nothing of {quoted(tool.tool.name)}, which has no action {listed}"


def _may_have(tool: KnownTool, action: str) -> bool:
    return tool.actions is None or action in tool.actions or (tool.tool.is_mcp and is_method(action))


def _limited_faults(limited: Limited, document: RuleSet) -> Iterator[Fault]:
    if limited.per == "tenant" and isinstance(document, PolicyDocument) and _is_of_one(document):
        yield ("per",), 'the document is about one agent alone; a limit of the tenant stands in one about agent: "*"'
    both = set(limited.requires.flags if limited.requires else ()) & set(limited.unless.flags if limited.unless else ())
    for flag in sorted(both):
        yield ("unless",), f"{quoted(flag)} is required, too: no call can have it and not have it"
    texts: set[str] = set()
    for word, at, terms in written_limits(limited):
        if isinstance(terms, FlagTerms):
            continue
        value = terms_of(word, terms)
        key = f"{basis_of(value)} {size(value)}"
        if key in texts:
            yield at, "is written twice"
        texts.add(key)


def _is_of_one(document: PolicyDocument) -> bool:
    return not document.agent.endswith(ANY)


def _parameter_faults(limited: Limited, known_tools: Sequence[KnownTool], names: Sequence[str]) -> Iterator[Fault]:
    """Parameters that an action does not declare, or declares with a type that cannot be counted."""
    for _, at, terms in written_limits(limited):
        for where, parameter, kinds in _parameters(terms):
            for tool in known_tools:
                for action in sorted(tool.actions or ()) if ANY in names else names:
                    message = _parameter_fault(tool, action, parameter, kinds)
                    if message:
                        yield (*at, *where), message


def _parameters(terms: LimitTerms) -> Iterator[tuple[tuple[str, ...], str, tuple[str, ...]]]:
    if isinstance(terms, BudgetLimit) and not isinstance(terms.of, str):
        yield ("of", "parameter"), terms.of.parameter, ("number", "integer")
        if terms.of.currency_parameter is not None:
            yield ("of", "currency_parameter"), terms.of.currency_parameter, ("string",)
    if isinstance(terms, DistinctLimit):
        yield ("parameter",), terms.parameter, ("string", "number", "integer", "boolean")


def _parameter_fault(tool: KnownTool, action: str, parameter: str, kinds: Sequence[str]) -> str:
    declared = (tool.actions or {}).get(action)
    if not declared or (action in tool.open_actions and parameter not in declared):
        return ""
    if parameter not in declared:
        near = did_you_mean(parameter, declared)
        return f"action {quoted(action)} declares no parameter {quoted(parameter)}{near}"
    if declared[parameter] not in (*kinds, "any"):
        return f"{quoted(parameter)} is a {declared[parameter]} in the catalogue, which cannot be counted here"
    return ""
