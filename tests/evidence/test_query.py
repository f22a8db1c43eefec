"""Records sought in the lines of logs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    ApprovalRecord,
    ApprovalStep,
    ChargeRecord,
    CutRecord,
    DecisionRecord,
    Record,
    RedactionRecord,
)
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.chain import encode_record, link
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.query import RecordFilter, last_records, matching, new_records
from tests.support.made_records import DENIED, named

START = bytes(32)
CLINIC = replace(
    DENIED,
    decision_id="d-2",
    time=DENIED.time + 1,
    identity=named("clinic-agent"),
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
)
NOBODY = replace(DENIED, decision_id="d-3", time=DENIED.time + 2, identity=None, reason=Reason.CREDENTIAL_MISSING)
REDACTED = RedactionRecord("d-2", DENIED.time + 3, "response", {"us_ssn": 2}, "done")
CUT = CutRecord(DENIED.time + 4, 40, "00000001-300.0.torn")
APPROVED = ApprovalRecord(
    "d-9", DENIED.time + 5, "apr_1", ApprovalStep.APPROVED, "ann", "", Scope("acme", "emea", "clinic-agent"), "ehr",
    "read", "d", "b", "r", (), DENIED.time, DENIED.time + 900,
)  # fmt: skip
EVERY: list[Record] = [DENIED, CLINIC, NOBODY, REDACTED, CUT]


def log(records: Iterable[Record], writer: str = "w") -> list[LogLine]:
    return [
        LogLine(f"{writer}/00000001.jsonl", number, link(writer, number, START, encode_record(record))[0])
        for number, record in enumerate(records, start=1)
    ]


LINES = log(EVERY)
SPOILED = LogLine("w/00000001.jsonl", 6, b'{"writer":"w","decision_id":"d-2"')
LATER = LogLine("w/00000001.jsonl", 7, LINES[0].raw.replace(b'"v":5', b'"v":6'))


SPENT = ChargeRecord("l", "500 USD a day", "p", "acme/emea", "budget", "USD", 10, 85, 15, 100, 0.0, "within", "deny")


def test_calls_that_bring_a_limit_to_a_mark_are_found() -> None:
    passed = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, decision_id="d-4", charges=(SPENT,))
    full = replace(passed, decision_id="d-5", charges=(SPENT._replace(used=100, amount=15, left=0), SPENT))
    before = replace(passed, decision_id="d-6", charges=(SPENT._replace(used=79),))
    refused = replace(DENIED, decision_id="d-7", charges=(SPENT._replace(excess="over"),))
    by_the_second = replace(passed, decision_id="d-8", charges=(SPENT._replace(kind="rate", currency=""),))
    lines = log([passed, full, before, refused, by_the_second, *EVERY, APPROVED])

    def ids(mark: int) -> list[str]:
        found = matching(lines, RecordFilter(mark=mark))
        return [stored.record.decision_id for stored in found if isinstance(stored.record, DecisionRecord)]

    assert (ids(80), ids(100)) == (["d-4", "d-5"], ["d-5"])
    assert all(isinstance(stored.record, DecisionRecord) for stored in matching(lines, RecordFilter(mark=80)))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RecordFilter(), EVERY),
        (RecordFilter(decision_id="d-2"), [CLINIC, REDACTED]),
        (RecordFilter(decision_id="d-"), []),
        (RecordFilter(agent="clinic-agent"), [CLINIC]),
        (RecordFilter(agent="acme/emea/clinic-agent"), [CLINIC]),
        (RecordFilter(agent="acme/apac/clinic-agent"), []),
        (RecordFilter(effect=Effect.DENY), [DENIED, NOBODY]),
        (RecordFilter(agent="finance-agent", effect=Effect.ALLOW), []),
        (RecordFilter(decision_id="d-2", effect=Effect.ALLOW), [CLINIC]),
        (RecordFilter(reason=Reason.CREDENTIAL_MISSING), [NOBODY]),
        (RecordFilter(reason=Reason.REPLAYED), []),
        (RecordFilter(tool=DENIED.tool), [DENIED, CLINIC, NOBODY]),
        (RecordFilter(tool=DENIED.tool[:-1]), []),
        (RecordFilter(tool=DENIED.tool, effect=Effect.ALLOW), [CLINIC]),
        (RecordFilter(since=DENIED.time + 2), [NOBODY, REDACTED, CUT]),
        (RecordFilter(since=DENIED.time + 2, effect=Effect.DENY), [NOBODY]),
    ],
    ids=str,
)
def test_the_wanted_records_are_found_in_order(wanted: RecordFilter, found: list[Record]) -> None:
    assert [stored.record for stored in matching(LINES, wanted)] == found


def test_what_became_of_an_approval_is_found_by_its_id_and_by_its_agent() -> None:
    held = replace(CLINIC, decision_id="d-9", approval_id="apr_1", effect=Effect.APPROVAL_NEEDED)
    held = replace(held, reason=Reason.APPROVAL_NEEDED)
    used = replace(CLINIC, decision_id="d-10", approval_id="apr_1", approved_by="ann", reason=Reason.APPROVED)
    lines = log([DENIED, held, APPROVED, used])
    for wanted, found in (
        (RecordFilter(decision_id="apr_1"), [held, APPROVED, used]),
        (RecordFilter(decision_id="d-9"), [held, APPROVED]),
        (RecordFilter(agent="clinic-agent"), [held, APPROVED, used]),
        (RecordFilter(agent="clinic-agent", effect=Effect.ALLOW), [used]),
    ):
        assert [stored.record for stored in matching(lines, wanted)] == found


def test_what_cannot_be_read_is_passed_over_where_a_decision_is_sought() -> None:
    assert [stored.number for stored in matching([*LINES, SPOILED, LATER], RecordFilter(decision_id="d-2"))] == [2, 4]


def test_the_last_records_of_all_logs_come_in_the_order_of_time() -> None:
    odd, even = log(EVERY[0::2], "a"), log(EVERY[1::2], "b")
    wanted = [stored.record for stored in last_records([odd[::-1], even[::-1]], 3, RecordFilter())]
    assert wanted == EVERY[-3:]


def test_among_the_last_records_what_cannot_be_read_is_shown_with_its_reason() -> None:
    spoiled, later = last_records([[LATER, SPOILED, *LINES[::-1]]], 2, RecordFilter(agent="nobody"))
    assert (spoiled.record, spoiled.number, spoiled.fault) == (None, 6, "not JSON")
    assert (later.record, later.fault) == (None, "a decision record of an unknown version")


def test_no_more_lines_are_read_than_are_wanted() -> None:
    def endless() -> Iterable[LogLine]:
        while True:
            yield LINES[0]

    found = last_records([endless()], 3, RecordFilter())
    assert [type(stored.record) for stored in found] == [DecisionRecord] * 3


def test_a_log_is_read_no_further_than_an_hour_before_the_moment_asked_for() -> None:
    def lines() -> Iterable[LogLine]:
        yield from reversed(log([replace(DENIED, time=5000.0), replace(CLINIC, time=10_000.0)]))
        raise AssertionError("read on")

    [stored] = last_records([lines()], 10, RecordFilter(since=9000.0))
    assert stored.record == replace(CLINIC, time=10_000.0)


def test_none_of_the_last_records_is_none() -> None:
    assert last_records([LINES[::-1]], 0, RecordFilter()) == []


def test_new_lines_of_several_logs_are_told_in_the_order_of_their_times() -> None:
    stored = new_records([*log([NOBODY], "a"), *log([DENIED, CLINIC], "b"), SPOILED], RecordFilter(effect=Effect.DENY))
    assert [entry.record for entry in stored] == [DENIED, NOBODY, None]
