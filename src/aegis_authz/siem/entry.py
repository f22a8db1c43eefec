"""A record with its place in its log, and what is known of it beside: what an event is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.core.record import Record
from aegis_authz.evidence.chain import Link, NotARecord, read_link, read_record
from aegis_authz.evidence.document import RecordInvalid, record_to_json
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.siem.severity import Severity


class EntryInvalid(ValueError):
    """A line holds no record that can be read; the message names the place and says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a log: its place in the chain, its text without the newline, its record, and that record's members."""

    link: Link
    text: str
    record: Record
    members: Mapping[str, Json]

    @property
    def id(self) -> str:
        """Names the event, the same one each time it is sent: `<writer>:<seq>:<first of the hash>`."""
        return f"{self.link.writer}:{self.link.seq}:{self.link.stated.hex()[:8]}"

    @property
    def kind(self) -> str:
        """The kind of the record: decision, approval, ..."""
        return str(self.members["kind"])


class Weekday(Enum):
    """The days of a week, as events name them."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What rules ask of an event that its record does not say by itself.

    `hour` (0 to 23) and `weekday` are those of the zone that the export was given. `first_use` says whether the agent
    was let through to this tool for the first time; None where that is not kept. `limit_mark` is 80 or 100 where the
    call brought a limit there, else 0.
    """

    severity: Severity
    hour: int
    weekday: Weekday
    first_use: bool | None
    limit_mark: int


def read_entry(line: LogLine) -> Entry:
    """The entry that a line holds. Raises EntryInvalid."""
    try:
        record, text = read_record(line.raw), line.raw.decode("utf-8").removesuffix("\n")
        return Entry(read_link(line.raw), text, record, record_to_json(record))
    except (NotARecord, RecordInvalid, UnicodeDecodeError) as fault:
        raise EntryInvalid(f"{line.file} line {line.number}: {fault}") from None
