"""How records and their verification read, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from aegis_authz.commands.records import ReadRecord
from aegis_authz.core.json_value import Json
from aegis_authz.evidence.verify import LogReport

_COLUMNS = ("time", "answer", "reason", "agent", "tool", "action", "ms", "decision")


def report_lines(reports: Sequence[LogReport]) -> Iterator[str]:
    """A short summary of each log, then each damage on a line of its own, then the verdict."""
    for report in reports:
        state = "intact" if report.is_intact else "DAMAGED"
        yield (
            f"{report.writer}: {state}, {_counted(report.records, 'record')}{_span(report)}, "
            f"head {report.head[:16] or 'none'}, key {report.key_id}"
        )
        for cut in report.cuts:
            yield f"  note: the writer cut an unsealed tail off when it started; kept in {printable(cut)}"
        for damage in report.damages:
            yield f"  {printable(damage.sentence())}"
        if report.damage_count > len(report.damages):
            yield f"  and {report.damage_count - len(report.damages)} more"
    total = _counted(sum(report.records for report in reports), "record")
    damaged = [report.writer for report in reports if not report.is_intact]
    if damaged:
        yield f"TAMPERED: {', '.join(damaged)} ({total} read)"
    else:
        yield f"intact: {total} in {_counted(len(reports), 'log')}"


def report_json(reports: Sequence[LogReport]) -> str:
    """The same as one JSON object: `intact` and `logs`."""
    logs = [{**asdict(report), "intact": report.is_intact} for report in reports]
    intact = all(report.is_intact for report in reports)
    return json.dumps({"intact": intact, "logs": logs}, indent=2)


def is_wanted(members: Mapping[str, Json], agent: str, effect: str) -> bool:
    """Whether a record is of that agent (its name or its scope) and that effect; "" is any."""
    scope = "/".join(_text(members, part) for part in ("org", "tenant", "agent"))
    return agent in ("", _text(members, "agent"), scope) and effect in ("", _text(members, "effect"))


def table(records: Iterable[ReadRecord]) -> Iterator[str]:
    """One line a record, in columns."""
    rows = [_COLUMNS, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def in_full(record: ReadRecord) -> Iterator[str]:
    """A record's place, then each of its members on a line."""
    yield f"{record.file} line {record.number}"
    for name, value in (record.members or {}).items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"  {printable(name)}: {printable(shown)}"


def records_json(records: Iterable[ReadRecord]) -> str:
    """A JSON array of the records with `file` and `line`; `record` is null where a line is not readable."""
    rows = [{"file": one.file, "line": one.number, "record": one.members} for one in records]
    return json.dumps(rows, indent=2)


def printable(text: str) -> str:
    """The text with everything a terminal would obey spelt out: agents choose parts of what is recorded."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _row(record: ReadRecord) -> tuple[str, ...]:
    members = record.members
    if members is None:
        return ("?", "unreadable", f"{record.file}:{record.number}", "", "", "", "", "")
    answer = _text(members, "effect") or _text(members, "kind")
    if would := _text(members, "would"):
        answer += f" (would {would})"
    cells = (
        _moment(members.get("time")),
        answer,
        _text(members, "reason") or _text(members, "outcome"),
        _text(members, "agent"),
        _text(members, "tool"),
        _text(members, "action") or _text(members, "target"),
        _text(members, "total_ms"),
        _text(members, "decision_id"),
    )
    return tuple(map(printable, cells))


def _text(members: Mapping[str, Json], name: str) -> str:
    value = members.get(name, "")
    return value if isinstance(value, str) else str(value)


def _moment(value: Json) -> str:
    if not isinstance(value, (int, float)):
        return ""
    try:
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(value))
    except (OverflowError, ValueError, OSError):  # a damaged line may name any number
        return str(value)
    return f"{whole}.{int(value % 1 * 1000):03d}Z"


def _span(report: LogReport) -> str:
    if report.first_time is None:
        return ""
    return f" from {_moment(report.first_time)} to {_moment(report.last_time)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
