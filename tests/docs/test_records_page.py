"""docs/records.md lists the members of every record, as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis_authz.core.money import Money
from aegis_authz.core.record import (
    ApprovalRecord,
    ApprovalStep,
    CostState,
    CutRecord,
    FlatObligation,
    KeyRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    SealRecord,
    SettledCost,
    UsageRecord,
)
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.document import record_members, record_to_json
from tests.support.made_records import DENIED, REFUSALS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "records.md"
_WRITTEN: tuple[Record, ...] = (
    DENIED,
    RedactionRecord("d-1", 1.0, "response", {"us_ssn": 2}, "done"),
    CutRecord(1.0, 40, "00000001-300.0.torn"),
    KeyRecord(1.0, "kid", "note"),
    SealRecord(1.0, 1, 1, 14, "0" * 64, "signature"),
    REFUSALS,
    ApprovalRecord(
        "d-1", 1.0, "apr_1", ApprovalStep.DENIED, "ann", "", Scope("o", "t", "a"), "t", "a", "d", "b", "r", (), 0.0, 2.0
    ),
    OutcomeRecord("d-1", 1.0, 200, "via_upstream", (), True, 1, 2, 3.0, 4.0, None),
    UsageRecord("d-1", 1.0, None, SettledCost(Money(1, "USD"), CostState.ESTIMATED)),
)


def _sections() -> dict[str, str]:
    pieces = re.split(r"^## (.*)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def _names(section: str) -> list[str]:
    return re.findall(r"^\| `([a-z_]+)` \| .{1,}\|$", section, flags=re.MULTILINE)


@pytest.mark.parametrize("record", _WRITTEN, ids=lambda record: type(record).__name__)
def test_the_page_has_a_row_for_each_member_in_the_order_of_writing(record: Record) -> None:
    data = record_to_json(record)
    section = _sections()[f"`{data['kind']}`, version {data['v']}"]
    assert _names(section) == list(data)
    assert f"| `v` | {data['v']} |" in section


def test_the_page_says_what_the_second_version_of_decisions_lacks() -> None:
    lacking = record_members("decision", 3) - record_members("decision", 2)
    assert set(re.findall(r"`([a-z_]+)`", _sections()["`decision`, version 2"])) == lacking


def test_the_page_says_what_the_first_version_of_decisions_lacks() -> None:
    section = _sections()["`decision`, version 1"]
    lacking = record_members("decision", 2) - record_members("decision", 1)
    said = set(re.findall(r"`([a-z_]+)`", section.partition("\n`obligations`")[0]))
    assert said == lacking
    assert FlatObligation("redact:response:us_ssn,/notes").text in section
