"""Reads the results of vegeta: each answer against what was due."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aegis_authz.load.calls import Due, due_of
from aegis_authz.load.outcome import Outcome

# The columns of `vegeta encode --to csv`.
_START, _CODE, _LATENCY, _ERROR, _BODY, _SEQ, _URL, _HEADERS = 0, 1, 2, 5, 6, 8, 10, 11
_REFUSALS = frozenset({429, 503})
_MARK = b"x-aegis-decision:"
NO_AUTHORIZER = "NO_AUTHORIZER"
"""Not a reason of ours: what a load calls an answer of Envoy in place of the authorizer's."""
_UNANSWERED = "ext_authz_error"  # of Envoy's response code details


def read_outcome(lines: Iterable[str], offered: float | None, interval: float) -> Outcome:
    """The outcome of a run from the lines of `vegeta encode --to csv`.

    `offered` is calls a second, None for a closed loop; `interval` the seconds between two calls of an open loop.
    Raises ValueError for lines that are no results of a load of ours.
    """
    tally = _Tally()
    for row in csv.reader(lines):
        if row[_URL]:  # without one, the targets had run out: nothing was sent
            tally.take(row)
    return tally.outcome(offered, interval)


@dataclass(slots=True)
class _Tally:
    """Counts of a run so far; times are nanoseconds, of `right` the time of sending, latency and number."""

    calls: int = 0
    failed: int = 0
    wrong: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    right: list[tuple[int, int, int]] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    dues: dict[str, Due] = field(default_factory=dict)

    def take(self, row: Sequence[str]) -> None:
        """Count one result."""
        start, seq, code, url = int(row[_START]), int(row[_SEQ]), int(row[_CODE]), row[_URL]
        due = self.dues.get(url)
        if due is None:
            due = self.dues[url] = due_of(url)
        self.calls += 1
        self.starts.append((start, seq))
        if code == due.status and _is_for(due.reason, row):
            self.right.append((start, int(row[_LATENCY]), seq))
        elif code == 0:
            self.failed += 1
            self.faults[row[_ERROR].rpartition(": ")[2]] += 1
        elif code in _REFUSALS:
            self.refused[_reason(row) or _bare(row)] += 1
        else:
            self.wrong += 1
            self.faults[f"{f'HTTP {code} {_reason(row)}'.rstrip()} where {due.status} was due"] += 1

    def outcome(self, offered: float | None, interval: float) -> Outcome:
        """What was counted, with the latencies."""
        began = min((start for start, _ in self.starts), default=0)
        ended = max((start + latency for start, latency, _ in self.right), default=began)
        return Outcome(
            offered=offered,
            seconds=(ended - began) / 1e9,
            sent=self.calls,
            right=len(self.right),
            refused=dict(self.refused),
            wrong=self.wrong,
            failed=self.failed,
            faults=dict(self.faults),
            latencies=tuple(sorted(self._latencies(None if offered is None else interval * 1e9))),
        )

    def _latencies(self, interval: float | None) -> Iterable[float]:
        if interval is None or not self.right:
            return (latency / 1e9 for _, latency, _ in self.right)
        # Calls are never sent early, so the one least late tells when the schedule began.
        began = min(start - seq * interval for start, seq in self.starts)
        return ((start + latency - began - seq * interval) / 1e9 for start, latency, seq in self.right)


def _is_for(reason: str, row: Sequence[str]) -> bool:
    return not reason or _reason(row) in ("", reason)


def reason_of(body: bytes) -> str:
    """The `reason` of a problem document (RFC 9457), "" when the body is none.

    `NO_AUTHORIZER` where Envoy refused by itself, since no authorizer answered, or none in time: it says INTERNAL_FAULT
    there, which is a word for a defect everywhere else.
    """
    try:
        members = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(members, dict):
        return ""
    if members.get("detail") == _UNANSWERED:
        return NO_AUTHORIZER
    reason = members.get("reason", "")
    return reason if isinstance(reason, str) else ""


def _reason(row: Sequence[str]) -> str:
    return reason_of(base64.b64decode(row[_BODY]))


def _bare(row: Sequence[str]) -> str:
    # the headers as one text, in the form of the wire
    is_ours = _MARK in base64.b64decode(row[_HEADERS]).lower()
    return f"HTTP {row[_CODE]}" if is_ours else f"HTTP {row[_CODE]} without a decision"
