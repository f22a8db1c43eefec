"""For how long requests of each tool may be kept open while a person decides: what Envoy must have the time for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aegis_authz.core.units import Seconds
from aegis_authz.policy.compile.limits import limited_calls
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.language.rule import ToolRule
from aegis_authz.policy.language.types import ANY


def holds_of(policies: Iterable[CompiledDocument]) -> dict[str, Seconds]:
    """The longest hold that an enforcing rule or limit has for each tool, `*` for all; only tools that have one."""
    holds: dict[str, Seconds] = {}
    for policy in policies:
        if policy.document.mode == "enforce":
            for tool, hold in (*_of_rules(policy), *_of_limits(policy)):
                if hold > 0:
                    holds[tool] = max(hold, holds.get(tool, hold))
    return dict(sorted(holds.items()))


def _of_rules(policy: CompiledDocument) -> Iterator[tuple[str, Seconds]]:
    for compiled in policy.rules.allowing:
        rule = compiled.rule
        if isinstance(rule, ToolRule) and rule.approval is not None:
            yield rule.name, Seconds(float(rule.approval.hold_seconds))


def _of_limits(policy: CompiledDocument) -> Iterator[tuple[str, Seconds]]:
    for calls in limited_calls(policy):
        tools: Sequence[str] = calls.tools or (ANY,)
        for entry in calls.limits:
            if entry.limit.approval is not None:
                yield from ((tool, entry.limit.approval.hold) for tool in tools)
