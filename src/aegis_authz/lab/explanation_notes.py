"""What an explanation does not show by itself, in sentences: what there is where nothing was found."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice

from aegis_authz.core.catalogue import JSON_ALONE
from aegis_authz.core.effect import Effect
from aegis_authz.core.refused import Refused
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import Explanation
from aegis_authz.policy.compile.alerts import alerts_of
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.problems import printable, quoted

_NEAREST = 3
_MOST = 12
_COMPARED = 2000


def sentences(explanation: Explanation, policies: Sequence[LoadedPolicy]) -> tuple[str, ...]:
    """What to add to an explanation; `policies` are all documents there are."""
    names = {document.name for document in explanation.documents}
    covering = [policy for policy in policies if policy.document.title in names]
    if not covering:
        return (_uncovered(explanation.call.agent, policies),)
    enforcing = [policy for policy in covering if policy.document.mode == "enforce"]
    notes = list(_of_host(explanation, covering) if explanation.call.host else _of_action(explanation, covering))
    if not enforcing:
        notes.append("every document that covers the agent is in shadow mode: nothing is enforced")
    notes += _of_alerts(explanation, covering)
    return tuple(notes)


def of_body(call: TriedCall, tools: Mapping[str, KnownTool]) -> tuple[str, ...]:
    """How the body of a call is read where that is not as JSON alone: its parameters come out of it."""
    known_tool = tools.get(call.tool)
    actions = () if known_tool is None else known_tool.tool.actions
    action = next((action for action in actions if action.name == call.action), None)
    if action is None or action.bodies == JSON_ALONE:
        return ()
    formats = " or ".join(body.value for body in action.bodies)
    unlisted = "" if action.others else "; a field that it does not list is refused before policy is asked"
    return (f"the body of {printable(call.action)} is {formats}{unlisted}",)


def _of_alerts(explanation: Explanation, covering: Sequence[LoadedPolicy]) -> Iterator[str]:
    """Where people learn of the refusal."""
    reason = explanation.decision.reason
    for policy in covering:
        if any(reason in terms.reasons for terms in chain(*alerts_of([policy.compiled]).values())):
            line = policy.source.problem(("notify",), "", on_key=True).line
            places = ", ".join(policy.document.notify.by if policy.document.notify else ())
            yield f"such a refusal is told at {places} ({policy.source.path}:{line})"


def _uncovered(agent: str, policies: Sequence[LoadedPolicy]) -> str:
    if not policies:
        return f"no document covers {agent}: the folder holds no policy"
    places = {
        policy.document.scope: f"{policy.source.path}:{policy.source.problem((), '').line}" for policy in policies
    }
    near = _nearest(agent, places)
    note = f"no document covers {agent}"
    if near:
        return f"{note}; the nearest: {', '.join(f'{scope} ({places[scope]})' for scope in near)}"
    return f"{note}; those there are cover {_few(sorted(places))}"


def _nearest(agent: str, scopes: dict[str, str]) -> list[str]:
    """Of very many scopes, those of the same tenant or with the same agent are compared first."""
    tenant, _, name = agent.rpartition("/")
    alike = [scope for scope in scopes if scope.startswith(f"{tenant}/") or scope.endswith(f"/{name}")]
    others = (scope for scope in scopes if scope not in set(alike)) if len(scopes) <= _COMPARED else iter(())
    compared = [*islice(alike, _COMPARED), *others]
    return difflib.get_close_matches(agent, sorted(compared), n=_NEAREST, cutoff=0.6)


def _of_host(explanation: Explanation, covering: Sequence[LoadedPolicy]) -> Iterator[str]:
    hosts = sorted({entry.host for policy in covering for entry in policy.document.egress.allow})
    lists = f"the egress lists of the agent name {_few(hosts)}" if hosts else "no egress list of the agent names a host"
    yield f"no tool of the catalogue answers at {printable(explanation.call.host)}; {lists}"


def _of_action(explanation: Explanation, covering: Sequence[LoadedPolicy]) -> Iterator[str]:
    call = explanation.call
    judging = [document for document in explanation.documents if document.mode == "enforce"] or explanation.documents
    if any(not rule.denies for document in judging for rule in document.rules):
        return
    if not _is_denied(explanation):
        if is_method(call.action):
            session = "the session, which is open to an agent with any rule for the server"
            yield f"{printable(call.action)} belongs to {session}"
        return
    listed: dict[str, set[str]] = {}
    for policy in covering:
        if policy.document.mode == judging[0].mode:
            for rule in policy.document.allowed_tools:
                listed.setdefault(rule.name, set()).update(rule.actions)
    note = f"no rule of allowed_tools lists {quoted(call.action)} of {quoted(call.tool)} for this agent"
    if not listed:
        yield f"{note}; its documents allow nothing"
        return
    there = "; ".join(f"{tool}: {_actions(actions)}" for tool, actions in islice(sorted(listed.items()), _MOST))
    more = f"; and {len(listed) - _MOST} more tools" if len(listed) > _MOST else ""
    yield f"{note}; its rules list {there}{more}"


def _is_denied(explanation: Explanation) -> bool:
    decision = explanation.decision
    return isinstance(decision, Refused) or Effect.DENY in (decision.effect, decision.would)


def _actions(actions: set[str]) -> str:
    return "every action" if ANY in actions else _few(sorted(actions))


def _few(names: Sequence[str]) -> str:
    text = ", ".join(map(printable, names[:_MOST]))
    return f"{text} and {len(names) - _MOST} more" if len(names) > _MOST else text
