"""The event that is the record itself: its members, its place in the chain, and what rules ask beside."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import ApprovalRecord, DecisionRecord
from aegis_authz.siem.entry import Entry, Occasion
from aegis_authz.siem.moment import iso_time

MEMBERS: Mapping[str, str] = MappingProxyType(
    {
        "@timestamp": "the record's `time`, UTC, RFC 3339 with milliseconds",
        "event_id": "names the event, the same one each time it is sent: duplicates can be told",
        "writer": "which log the record is in",
        "seq": "its place in that log, from 1",
        "prev": "the `hash` of the line before",
        "hash": "of the line; `aegis audit verify` recomputes it",
        "severity": "informational, low, medium or high",
        "alert": "whether somebody should look at it by itself",
        "hour": "0 to 23, of the record's time in the zone of the export",
        "weekday": "monday to sunday, in that zone",
        "first_use": "whether the agent was let through to the tool for the first time; absent without a cursor",
        "limit_mark": "80 or 100 where the call brought a limit there, else 0",
        "parameter_names": "of a decision: the names of the parameters that the record holds",
        "approver": "of an approval: who decided, as the record says in `by`; empty where time did",
    }
)
"""What events have beside the members of their record, and what it is."""


class Parameters(Enum):
    """How much of the parameters of a call leaves the mesh with its event."""

    NONE = "none"
    NAMES = "names"
    CLEAR = "clear"


def event(entry: Entry, occasion: Occasion, parameters: Parameters) -> dict[str, Json]:
    """The event's members: `MEMBERS`, then those of the record."""
    members: dict[str, Json] = {
        "@timestamp": iso_time(entry.record.time),
        "event_id": entry.id,
        "writer": entry.link.writer,
        "seq": entry.link.seq,
        "prev": entry.link.prev.hex(),
        "hash": entry.link.stated.hex(),
        "severity": occasion.severity.value,
        "alert": occasion.severity.is_alert,
        "hour": occasion.hour,
        "weekday": occasion.weekday.value,
        "limit_mark": occasion.limit_mark,
    }
    if occasion.first_use is not None:
        members["first_use"] = occasion.first_use
    if isinstance(entry.record, DecisionRecord):
        members["parameter_names"] = names_of(entry.record, parameters)
    if isinstance(entry.record, ApprovalRecord):
        members["approver"] = entry.record.by
    members |= entry.members
    if parameters is not Parameters.CLEAR:
        members.pop("parameters", None)
    return members


def names_of(record: DecisionRecord, parameters: Parameters) -> list[Json]:
    """The names of a call's parameters as far as they may be shown."""
    return [] if parameters is Parameters.NONE else [*sorted(record.parameters)]
