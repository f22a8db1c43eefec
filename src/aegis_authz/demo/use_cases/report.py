"""How a use case that was played reads, and the same as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from aegis_authz.core.json_value import Json
from aegis_authz.demo.use_cases.use_case import Outcome

_SHOWN = (
    *("decision_id", "org", "tenant", "agent", "tool", "action", "parameters", "effect", "reason", "detail"),
    *("policies", "revision", "approval_id", "digest", "writer", "seq", "prev", "hash"),
)
"""Members of a record that are shown of the call that the use case is about."""


def report_lines(outcome: Outcome) -> Iterator[str]:
    """The calls, then records, span, metrics, panels and alerts, then the verdict."""
    evidence = outcome.evidence
    yield outcome.use_case.headline
    yield ""
    width = max(len(row.call) for row in outcome.rows)
    for row in outcome.rows:
        yield f"  {'✓' if row.ok else '✗'} {row.call:<{width}}  {row.answer:<15}  {row.reason:<18} {row.ms:>7.0f} ms"
    yield from _section(f"Records ({evidence.verdict})")
    yield from _records(evidence.events)
    yield from _section(f'The record of "{outcome.use_case.subject}"')
    yield from _members(outcome)
    yield from _section("Its span")
    yield from _span(outcome)
    yield from _section("Metrics that moved")
    yield from (f"  {movement}" for movement in evidence.movements)
    yield from _section("Panels that show it (deploy/grafana)")
    yield from (f"  {panel.board}, {panel.title}: {panel.query}" for panel in evidence.panels)
    yield from _section("Alerts that fire (deploy/sigma)")
    yield from (f"  {alert.rule.level}: {alert.rule.title} ({alert.rule.name}.yml)" for alert in evidence.alerts)
    yield ""
    gaps = outcome.gaps()
    yield from gaps
    yield f"Not as expected: {len(gaps)}." if gaps else "Every call is as expected, and its evidence is there."


def report_json(outcome: Outcome) -> str:
    """All of it as one line of JSON, with `use_case`, `headline`, `gaps` and `ok`."""
    gaps = outcome.gaps()
    return json.dumps(
        {
            "use_case": outcome.use_case.name,
            "headline": outcome.use_case.headline,
            "calls": [asdict(row) for row in outcome.rows],
            **asdict(outcome.evidence),
            "gaps": gaps,
            "ok": not gaps,
        }
    )


def _section(title: str) -> Iterator[str]:
    yield ""
    yield title


def _records(events: Sequence[Mapping[str, Json]]) -> Iterator[str]:
    """A line a record, and a single line for those that say the same, with the place of the first."""
    counts = Counter(map(_record, events))
    places: dict[str, str] = {}
    for event in events:
        places.setdefault(_record(event), f"{event['writer']} {event['seq']}")
    for text, place in places.items():
        yield f"  {place:<11} {text}{f' ({counts[text]} records)' if counts[text] > 1 else ''}"


def _record(event: Mapping[str, Json]) -> str:
    match event["kind"]:
        case "approval":
            return f"{event['step']} by {event['by']}: {event['note'] or 'without a note'}"
        case "redaction":
            return f"redacted in the {event['target']}: {json.dumps(event['counts'])}"
    agent = f"{event['tenant']}/{event['agent']}"
    call = f"{event['action'] or event['method']} on {event['tool'] or event['host']}"
    return f"{event['effect']} {event['reason']}: {agent}, {call} {json.dumps(event['parameters'])}"


def _members(outcome: Outcome) -> Iterator[str]:
    decision_id = _subject(outcome)
    for event in outcome.evidence.events:
        if event["kind"] == "decision" and event["decision_id"] == decision_id:
            for name in _SHOWN:
                value = event.get(name)
                if value not in ("", [], {}, None):
                    yield f"  {name}: {value if isinstance(value, str) else json.dumps(value)}"


def _span(outcome: Outcome) -> Iterator[str]:
    decision_id = _subject(outcome)
    for span in outcome.evidence.spans:
        if span.decision_id == decision_id:
            yield f"  {span.name}, with {', '.join(span.children) or 'no child'}, in trace {span.trace_id}"
            yield from (f"  event {event}" for event in span.events)
            yield from (f"  {name}: {value}" for name, value in sorted(span.attributes.items()))


def _subject(outcome: Outcome) -> str:
    return next(row.decision_id for row in outcome.rows if row.call == outcome.use_case.subject)
