"""How simulated calls and what a draft changes read, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.cli.consoles import table_console
from aegis_authz.cli.policy.explain_text import effect_text
from aegis_authz.core.json_value import Json
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation_outline import value_text
from aegis_authz.lab.simulation import Direction, Flip, Simulated, Summary, summary_of
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.source.problems import printable

_FIRST = 25
_SHORT = 60
_DIRECTIONS: Mapping[Direction, str] = {"stricter": "red", "milder": "yellow", "other": "cyan"}


def show_simulation(calls: Sequence[Simulated], show_all: bool) -> None:
    """Print a row for each call, of many the first ones, and a summary."""
    table = _table("effect", "reason", "detail")
    rows = calls if show_all else calls[:_FIRST]
    for call in rows:
        table.add_row(*_call_cells(call), effect_text(call.effect.value), call.reason, _cell(call.decided.detail))
    console = table_console()
    console.print(table)
    _print_more(console, len(calls) - len(rows), "calls")
    for line in _summary_lines(summary_of(calls)):
        console.print(line, soft_wrap=True)


def show_comparison(
    before: Sequence[Simulated], after: Sequence[Simulated], changes: Sequence[Flip], show_all: bool
) -> None:
    """Print a row for each call that is decided differently, of many the first ones, and a summary of both sides."""
    console = table_console()
    if changes:
        table = _table("direction", "before", "after", "detail")
        rows = changes if show_all else changes[:_FIRST]
        for flip in rows:
            style = _DIRECTIONS[flip.direction]
            direction = Text(flip.direction if flip.direction != "other" else _of_members(flip), style=style)
            sides = (_side(flip.before, flip), _side(flip.after, flip))
            table.add_row(*_call_cells(flip.after), direction, *sides, _cell(flip.after.decided.detail))
        console.print(table)
        _print_more(console, len(changes) - len(rows), "changes")
    for name, side in (("before", before), ("after", after)):
        for line in _summary_lines(summary_of(side)):
            console.print(Text.assemble(f"{name}: ", line), soft_wrap=True)
    console.print(_changed(changes, len(after)), soft_wrap=True)


def uncounted_text(calls: int) -> str:
    """What is said where calls meet limits that nobody counted."""
    verb = "meets a limit, which is" if calls == 1 else "meet limits, which are"
    return f"{_amount(calls, 'call')} {verb} not counted here; --limits counts them, each call at its time"


def simulation_json(calls: Sequence[Simulated], uncounted: int) -> str:
    """Every call with its decision, and the summary, as one JSON object; `uncounted` calls meet limits all the same."""
    report: Mapping[str, Json] = {
        "summary": asdict(summary_of(calls)),
        "uncounted": uncounted,
        "calls": [{**_place(call), "call": _call(call), "decided": decided_data(call.decided)} for call in calls],
    }
    return json.dumps(report, indent=2)


def comparison_json(
    before: Sequence[Simulated], after: Sequence[Simulated], changes: Sequence[Flip], uncounted: int
) -> str:
    """Every call that is decided differently, and both summaries, as one JSON object; see `simulation_json`."""
    report: Mapping[str, Json] = {
        "before": asdict(summary_of(before)),
        "after": asdict(summary_of(after)),
        "uncounted": uncounted,
        "changed": _counts(changes),
        "changes": [
            {
                **_place(flip.after),
                "direction": flip.direction,
                "members": list(flip.members),
                "call": _call(flip.after),
                "before": decided_data(flip.before.decided),
                "after": decided_data(flip.after.decided),
            }
            for flip in changes
        ],
    }
    return json.dumps(report, indent=2)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("line", justify="right")
    for column in ("agent", "call", "parameters", *columns):
        table.add_column(column, overflow="fold")
    return table


def _call_cells(simulated: Simulated) -> Iterator[Text]:
    call = simulated.placed.call
    yield Text(str(simulated.placed.line))
    yield _cell(call.agent)
    yield _cell(_target(call))
    yield _cell(", ".join(f"{name}={value_text(value)}" for name, value in call.parameters.items()))  # type: ignore[arg-type]  # it came out of a source document: it is Json


def _target(call: TriedCall) -> str:
    return f"{call.method} {call.host}" if call.host else f"{call.tool} {call.action}"


def _cell(text: str) -> Text:
    line = printable(text)
    return Text(line if len(line) <= _SHORT else f"{line[: _SHORT - 3]}...")


def _side(side: Simulated, flip: Flip) -> Text:
    """The effect, and the reason where that is what changes."""
    effect = effect_text(side.effect.value)
    return effect.append(f" {side.reason}", style="dim") if flip.direction == "other" else effect


def _of_members(flip: Flip) -> str:
    return f"other {', '.join(flip.members)}"


def _summary_lines(summary: Summary) -> Iterator[Text]:
    total = Text(f"{_amount(summary.calls, 'call')}: ")
    effects = [Text.assemble(f"{count} ", effect_text(effect)) for effect, count in summary.effects.items()]
    reasons = ", ".join(f"{reason} {count}" for reason, count in summary.reasons.items())
    yield Text.assemble(total, Text(", ").join(effects), f" ({reasons})")


def _changed(changes: Sequence[Flip], calls: int) -> Text:
    if not changes:
        return Text(f"nothing changes for {_amount(calls, 'call')}")
    counts = _counts(changes)
    words = {
        "stricter": "decided more strictly",
        "milder": "decided more mildly",
        "other": "same effect on other terms",
    }
    amounts = ", ".join(f"{counts[direction]} {words[direction]}" for direction in words if counts[direction])
    return Text(f"{len(changes)} of {_amount(calls, 'call')} changed: {amounts}")


def _counts(changes: Sequence[Flip]) -> dict[str, int]:
    return {direction: sum(flip.direction == direction for flip in changes) for direction in _DIRECTIONS}


def _print_more(console: Console, more: int, noun: str) -> None:
    if more > 0:
        console.print(f"\N{HORIZONTAL ELLIPSIS} and {more} more {noun}; --all shows them")


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _place(simulated: Simulated) -> dict[str, Json]:
    return {"file": simulated.placed.path, "line": simulated.placed.line}


def _call(simulated: Simulated) -> Mapping[str, Json]:
    members: Mapping[str, Json] = simulated.placed.call.model_dump(mode="json")
    return members
