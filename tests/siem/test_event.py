"""The event that is the record itself."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

from aegis_authz.core.record import Record
from aegis_authz.evidence.document import record_to_json
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.siem.entry import Entry, EntryInvalid, read_entry
from aegis_authz.siem.event import MEMBERS, Parameters
from aegis_authz.siem.formats import Format, Shape
from aegis_authz.siem.moment import iso_time, milliseconds
from aegis_authz.siem.occasion import Uses
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, entries, lines


def event(entry: Entry, parameters: Parameters = Parameters.NAMES, uses: Uses | None = None) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(Shape(Format.JSON, parameters, UTC, "1.0.0").event(entry, uses).text)
    return members


def of(record: Record, parameters: Parameters = Parameters.NAMES) -> dict[str, Any]:
    return event(entries((record,))[0], parameters)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: type(entry.record).__name__)
def test_the_event_has_the_members_of_its_record_and_those_of_the_list(entry: Entry) -> None:
    members = event(entry, Parameters.CLEAR, Uses())
    record = json.loads(json.dumps(record_to_json(entry.record)))
    assert {name: members[name] for name in record} == record
    assert members.keys() - record.keys() <= MEMBERS.keys()


def test_every_member_of_the_list_is_there_to_be_had() -> None:
    decision, approval = (event(entry, Parameters.NAMES, Uses()) for entry in entries((ALLOWED, APPROVED)))
    assert decision.keys() | approval.keys() >= MEMBERS.keys() and approval["approver"] == "ann"


def test_the_same_record_has_the_same_id_and_another_has_another() -> None:
    assert of(DENIED)["event_id"] == of(DENIED)["event_id"] != of(ALLOWED)["event_id"]


def test_values_of_parameters_leave_only_when_they_are_asked_for() -> None:
    assert "parameters" not in of(DENIED) and of(DENIED)["parameter_names"] == ["amount"]
    assert of(DENIED, Parameters.NONE)["parameter_names"] == []
    assert of(DENIED, Parameters.CLEAR)["parameters"] == {"amount": 50000}


def test_a_line_that_holds_no_record_is_told_by_its_place() -> None:
    [line] = lines((DENIED,))
    for raw in (b"{}\n", line.raw.replace(b'"v":5', b'"v":99'), b"\xff\n"):
        with pytest.raises(EntryInvalid, match=r"^w/1\.jsonl line 7: "):
            read_entry(LogLine("w/1.jsonl", 7, raw))


@pytest.mark.parametrize("time", [float("inf"), float("nan"), -1e300, 1e300])
def test_what_is_no_moment_is_the_epoch(time: float) -> None:
    assert (iso_time(time), milliseconds(time)) == ("1970-01-01T00:00:00.000Z", 0)
