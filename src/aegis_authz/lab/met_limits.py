"""The limits that a call meets, with their terms and where they are written; what is used of them a mesh knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis_authz.core.decision import Decision
from aegis_authz.core.refused import Refused
from aegis_authz.policy.compile.limits import CompiledLimit, LimitedCalls, limited_calls
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.places import as_written
from aegis_authz.policy.source.problems import Problem


@dataclass(frozen=True, slots=True)
class MetLimit:
    """A limit that a call meets. `word` is that by which it is written; `per` and `on_exceed` are as written."""

    id: str
    policy: str
    name: str
    word: str
    per: str
    on_exceed: str
    path: str
    line: int


def met_limits(decision: Decision | Refused, policies: Sequence[LoadedPolicy]) -> tuple[MetLimit, ...]:
    """The limits that a decision names, in the order of documents and lines."""
    ids = frozenset() if isinstance(decision, Refused) else frozenset(decision.limits)
    if not ids:
        return ()
    by_place = (sorted(_of_document(policy), key=lambda limit: (limit.path, limit.line)) for policy in policies)
    return tuple(limit for limits in by_place for limit in limits if limit.id in ids)


def _of_document(policy: LoadedPolicy) -> Iterator[MetLimit]:
    for calls in limited_calls(policy.compiled) if policy.document.mode == "enforce" else ():
        for compiled in calls.limits:
            limit, place = compiled.limit, _place(policy, calls, compiled)
            per, exceed = limit.per.value, limit.on_exceed.value
            yield MetLimit(limit.id, limit.policy, limit.name, compiled.word, per, exceed, place.path, place.line)


def _place(policy: LoadedPolicy, calls: LimitedCalls, compiled: CompiledLimit) -> Problem:
    source = policy.template if calls.origin and policy.template is not None else policy.source
    return source.problem(as_written(source.value, compiled.at), "")
