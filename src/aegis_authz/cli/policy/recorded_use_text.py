"""How reports on recorded calls read, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from aegis_authz.cli.policy.backtest_text import amount_text, call_text, record_json
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.lab.shadows import ShadowedCall, ShadowReport
from aegis_authz.lab.unused_rights import RightsReport, UseBook, by_rule
from aegis_authz.policy.rights import Ground
from aegis_authz.policy.source.problems import printable

_FIRST = 3
_WORDS = {Effect.DENY: "denied", Effect.APPROVAL_NEEDED: "held for approval", Effect.SANITIZE: "redacted"}


def shadow_lines(report: ShadowReport, show_all: bool) -> Iterator[str]:
    """A block for each rule, those with the most calls first, and the summary."""
    groups: dict[tuple[Effect, tuple[str, ...]], list[ShadowedCall]] = {}
    for call in report.stricter:
        groups.setdefault((call.would, call.rules), []).append(call)
    order = sorted(Effect, reverse=True)
    ranked = sorted(groups.items(), key=lambda entry: (order.index(entry[0][0]), -len(entry[1]), entry[0][1]))
    for (would, rules), calls in ranked:
        agents = {call.record.identity.scope for call in calls if call.record.identity is not None}
        amount = f"{amount_text(len(calls), 'call')} of {amount_text(len(agents), 'agent')}"
        yield f"would have been {_WORDS[would]}: {amount}"
        yield from (f"  by {printable(rule)}" for rule in rules)
        shown = calls if show_all else calls[:_FIRST]
        yield from (f"  {call_text(call.record, call.file, call.line)}" for call in shown)
        if len(calls) > len(shown):
            yield f"  ... and {len(calls) - len(shown)} more; --all shows them"
        yield ""
    yield (
        f"shadow documents spoke of {amount_text(report.calls, 'call')}, and would have decided "
        f"{len(report.stricter)} more strictly"
    )


def shadow_json(report: ShadowReport) -> str:
    """All of it as one JSON object, with every call."""
    counts = Counter(call.would.value for call in report.stricter)
    calls: list[Json] = [
        {**record_json(call.record, call.file, call.line), "would": call.would.value, "rules": [*call.rules]}
        for call in report.stricter
    ]
    data = {"records": report.records, "calls": report.calls, "would": dict(sorted(counts.items())), "stricter": calls}
    return json.dumps(data, indent=2)


def unused_lines(report: RightsReport, book: UseBook) -> Iterator[str]:
    """A block for each rule that gives rights nobody used, and the summary."""
    for ground, rights in by_rule(report.unused).items():
        yield _place(ground)
        yield from (f"  {right.agent}: {right.tool} {printable(right.action)}" for right in rights)
    summary = f"{len(report.unused)} of {amount_text(report.rights, 'right')} of {amount_text(report.agents, 'agent')}"
    yield f"{summary} not used since {_moment(book.since)}"
    if book.first is None:
        yield "there is no record"
    elif book.first > book.since:
        yield f"the records begin later, at {_moment(book.first)}"
    if book.unreadable:
        yield f"unreadable, and perhaps a use: {amount_text(book.unreadable, 'line')}; aegis audit verify says which"


def unused_json(report: RightsReport, book: UseBook) -> str:
    """All of it as one JSON object; times are epoch seconds."""
    unused: list[Json] = [
        {
            "agent": str(right.agent),
            "tool": right.tool,
            "action": right.action,
            "rules": [_place(ground) for ground in right.rules],
        }
        for right in report.unused
    ]
    data = {
        "since": book.since,
        "first_record": book.first,
        "unreadable": book.unreadable,
        "agents": report.agents,
        "rights": report.rights,
        "unused": unused,
    }
    return json.dumps(data, indent=2)


def _place(ground: Ground) -> str:
    return printable(f"{ground.document}: {ground.rule} ({ground.path}:{ground.line})")


def _moment(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%MZ")
