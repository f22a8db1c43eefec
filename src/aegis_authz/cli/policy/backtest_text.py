"""How a backtest reads, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import typer

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.lab.backtest import BacktestReport, FlippedCall
from aegis_authz.lab.simulation import Direction
from aegis_authz.policy.source.problems import printable

_FIRST = 3
_DIRECTIONS: tuple[Direction, ...] = ("milder", "stricter", "other")
_WORDS: Mapping[Direction, str] = {
    "milder": "decided more mildly",
    "stricter": "decided more strictly",
    "other": "let through on other terms",
}

Group = tuple[Direction, str, str, tuple[str, ...]]


def show_backtest(report: BacktestReport, show_all: bool) -> None:
    """Print the flips by rule, of each rule the first ones, and what was and was not judged."""
    for group, flips in grouped(report.flips):
        direction, before, after, rules = group
        change = f"{before} -> {after}" if before != after else f"{before}, other obligations"
        typer.echo(f"{_WORDS[direction]}, {change}: {amount_text(len(flips), 'call')}")
        for rule in rules:
            typer.echo(f"  by {printable(rule)}")
        for flip in flips if show_all else flips[:_FIRST]:
            doubt = "" if flip.is_certain else "  (what is used of its limits is not certain)"
            typer.echo(f"  {call_text(flip.record, flip.file, flip.line)}{doubt}")
        if not show_all and len(flips) > _FIRST:
            typer.echo(f"  ... and {len(flips) - _FIRST} more; --all shows them")
        typer.echo("")
    for line in _summary(report):
        typer.echo(line)


def backtest_json(report: BacktestReport) -> str:
    """All of it as one JSON object, with every flip."""
    counts = Counter(flip.direction for flip in report.flips)
    data: Mapping[str, Json] = {
        "records": report.records,
        "judged": report.judged,
        "before": _effects(report.before),
        "after": _effects(report.after),
        "changed": {direction: counts[direction] for direction in _DIRECTIONS},
        "uncertain": report.uncertain,
        "not_judged": dict(report.not_judged.most_common()),
        "beside_policy": dict(report.beside.most_common()),
        "unreadable": report.unreadable,
        "groups": [
            {
                "direction": direction,
                "before": before,
                "after": after,
                "rules": [*rules],
                "calls": len(flips),
                "decisions": [flip.record.decision_id for flip in flips],
            }
            for (direction, before, after, rules), flips in grouped(report.flips)
        ],
        "changes": [_flip_json(flip) for flip in report.flips],
    }
    return json.dumps(data, indent=2)


def grouped(flips: Sequence[FlippedCall]) -> list[tuple[Group, list[FlippedCall]]]:
    """The flips by direction, effects and rules: milder ones first, then those with the most calls."""
    groups: dict[Group, list[FlippedCall]] = {}
    for flip in flips:
        groups.setdefault((flip.direction, flip.before.value, flip.after.effect.value, flip.rules), []).append(flip)
    return sorted(groups.items(), key=lambda entry: (_DIRECTIONS.index(entry[0][0]), -len(entry[1]), entry[0]))


def _flip_json(flip: FlippedCall) -> Json:
    record = flip.record
    return {
        **record_json(record, flip.file, flip.line),
        "direction": flip.direction,
        "members": [*flip.members],
        "before": {"effect": flip.before.value, "reason": record.reason.value},
        "after": {"effect": flip.after.effect.value, "reason": flip.after.reason.value, "detail": flip.after.detail},
        "rules": [*flip.rules],
        "certain": flip.is_certain,
    }


def call_text(record: DecisionRecord, file: str, line: int) -> str:
    """A recorded call on one line: when, who, what, and where its record stands."""
    moment = datetime.fromtimestamp(record.time, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    agent = str(record.identity.scope) if record.identity is not None else ""
    call = f"{record.tool} {record.action}" if record.tool else f"{record.method} {record.host}"
    values = ", ".join(f"{name}={json.dumps(value)}" for name, value in record.parameters.items())
    words = f"{moment}Z  {agent} {call}{f' ({values})' if values else ''}"
    return f"{printable(words)}  [{file} line {line}]"


def record_json(record: DecisionRecord, file: str, line: int) -> dict[str, Json]:
    """A recorded call as JSON, and where its record stands."""
    return {
        "file": file,
        "line": line,
        "decision_id": record.decision_id,
        "time": record.time,
        "agent": str(record.identity.scope) if record.identity is not None else "",
        "tool": record.tool,
        "action": record.action,
        "host": record.host,
        "parameters": dict(record.parameters),
    }


def _summary(report: BacktestReport) -> list[str]:
    counts = Counter(flip.direction for flip in report.flips)
    changed = ", ".join(f"{counts[direction]} {_WORDS[direction]}" for direction in _DIRECTIONS if counts[direction])
    judged = amount_text(report.judged, "call")
    lines = [f"{len(report.flips)} of {judged} changed: {changed}" if changed else f"nothing changes for {judged}"]
    lines += [f"before: {_effects_text(report.before)}", f"after: {_effects_text(report.after)}"] if changed else []
    if report.uncertain:
        lines.append(
            f"{amount_text(report.uncertain, 'call')} met limits of which calls used something that could not be judged"
        )
    for sentence, count in report.not_judged.most_common():
        lines.append(f"not judged: {amount_text(count, 'call')}: {printable(sentence)}")
    if report.beside:
        reasons = ", ".join(f"{reason} {count}" for reason, count in report.beside.most_common())
        lines.append(f"policy had no say in {amount_text(report.beside.total(), 'answer')} ({reasons})")
    if report.unreadable:
        lines.append(f"unreadable: {amount_text(report.unreadable, 'line')}; aegis audit verify says which")
    return lines


def _effects(counts: Counter[str]) -> dict[str, Json]:
    return {effect.value: counts[effect.value] for effect in sorted(Effect) if counts[effect.value]}


def _effects_text(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {effect}" for effect, count in _effects(counts).items())


def amount_text(count: int, noun: str) -> str:
    """The count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
