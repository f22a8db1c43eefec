from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, OutcomeRecord, Record
from aegis_authz.evidence.chain import encode_record, link
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.reconciliation import Gap, GapKind, Reconciliation, read_calls, read_entry, reconcile
from tests.support.made_records import DENIED

START = 1_800_000_000.0
TOOL = "tool:stripe-payments:3f71"


def decision(name: str, effect: Effect = Effect.ALLOW, at: float = 0.0, path: str = "/v1/payments") -> DecisionRecord:
    reason = Reason.ALLOWED if effect is Effect.ALLOW else DENIED.reason
    return replace(DENIED, decision_id=name, effect=effect, reason=reason, time=START + at, path=path)


def outcome(name: str) -> OutcomeRecord:
    return OutcomeRecord(name, START + 1, 201, "via_upstream", (), True, 0, 0, 1.0, 2.0, None)


def entry(name: str | None, at: float = 0.0, upstream: str | None = "127.0.0.1:41237", cluster: str = TOOL) -> bytes:
    minute, second = divmod(at, 60)
    content: dict[str, Json] = {
        "time": f"2027-01-15T08:{int(minute):02d}:{second:06.3f}Z",
        "decision_id": name,
        "upstream": upstream,
        "upstream_cluster": cluster,
        "details": "via_upstream",
    }
    return json.dumps(content).encode() + b"\n"


LAST = entry("last", at=600.0, upstream=None)
"""A request ten minutes later, which was refused: what came before it is due."""


def joined(entries: list[bytes], records: list[Record], since: float = 0.0) -> Reconciliation:
    lines = [LogLine("access.log", number, raw) for number, raw in enumerate(entries, start=1)]
    chained = [
        link("authz-0", number, bytes(32), encode_record(each))[0] for number, each in enumerate(records, start=1)
    ]
    stored = [LogLine("authz-0/00000001.jsonl", number, raw) for number, raw in enumerate(chained, start=1)]
    return reconcile([read_entry(line) for line in lines], read_calls(stored), 60.0, since)


def kinds(result: Reconciliation) -> list[tuple[GapKind, str]]:
    return [(gap.kind, gap.decision_id) for gap in result.gaps]


def test_calls_that_were_allowed_and_whose_outcome_is_recorded_are_no_gap() -> None:
    result = joined(
        [entry("a"), entry("b", upstream=None), LAST],
        [decision("a"), outcome("a"), decision("b", Effect.DENY)],
    )
    assert result.gaps == ()
    assert (result.calls, result.decisions, result.outcomes) == (1, 2, 1)
    assert (result.since, result.until) == (START, START + 540.0)


def test_a_call_that_no_authorizer_was_asked_about_is_a_gap() -> None:
    (gap,) = joined([entry(None), LAST], []).gaps
    assert gap == Gap(
        GapKind.CALL_WITHOUT_DECISION,
        "",
        "access.log",
        1,
        "it was sent to 127.0.0.1:41237, and no authorizer was asked",
    )


def test_a_call_whose_decision_is_on_no_record_is_a_gap_however_late_it_came() -> None:
    assert kinds(joined([LAST, entry("a", at=601.0)], [])) == [(GapKind.CALL_WITHOUT_RECORD, "a")]


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.APPROVAL_NEEDED])
def test_a_call_that_was_not_let_through_and_reached_a_tool_is_a_gap(effect: Effect) -> None:
    (gap,) = joined([entry("a"), LAST], [decision("a", effect)]).gaps
    assert (gap.kind, gap.reason) == (
        GapKind.CALL_WITHOUT_ALLOW,
        f"it was sent to 127.0.0.1:41237, and its decision is {effect.value}",
    )


def test_a_decision_lets_one_call_through_and_no_other() -> None:
    (gap,) = joined([entry("a"), entry("a"), LAST], [decision("a"), outcome("a")]).gaps
    assert gap.kind is GapKind.CALL_WITHOUT_ALLOW
    assert gap.reason.endswith("its decision let another call through (access.log line 1)")


def test_a_request_that_reached_nothing_hides_no_call_of_the_same_decision() -> None:
    nothing = entry("a", upstream=None)
    assert kinds(joined([entry("a"), nothing, LAST], [decision("a")])) == [(GapKind.CALL_WITHOUT_OUTCOME, "a")]
    (gap,) = joined([entry("a"), nothing, entry("a"), LAST], [decision("a"), outcome("a")]).gaps
    assert (gap.kind, gap.line) == (GapKind.CALL_WITHOUT_ALLOW, 3)


def test_a_refused_request_that_reached_nothing_is_no_gap_even_without_a_decision() -> None:
    assert joined([entry(None, upstream=None), entry("b", upstream=None), LAST], []).gaps == ()


def test_an_allow_that_no_access_log_holds_is_a_gap_once_it_is_due() -> None:
    result = joined([entry("x", upstream=None), LAST], [decision("a", at=10.0), decision("late", at=550.0)])
    assert kinds(result) == [(GapKind.ALLOW_WITHOUT_CALL, "a")]


def test_an_allow_from_before_the_access_log_begins_is_none() -> None:
    assert joined([entry("x", at=300.0, upstream=None), LAST], [decision("a", at=10.0)]).gaps == ()


def test_an_access_log_without_a_request_holds_no_call_that_was_let_through() -> None:
    records: list[Record] = [decision("a", at=10.0), decision("b", Effect.DENY), outcome("a")]
    assert kinds(joined([], records)) == [(GapKind.ALLOW_WITHOUT_CALL, "a")]
    assert kinds(joined([entry("a", at=5.0)], records, since=START + 8.0)) == [(GapKind.ALLOW_WITHOUT_CALL, "a")]
    assert joined([], records, since=START + 11.0).gaps == ()


def test_what_was_asked_at_the_evaluation_endpoint_needs_no_call() -> None:
    question = decision("a", at=10.0, path="/access/v1/evaluation")
    assert joined([entry("x", upstream=None), LAST], [question]).gaps == ()


def test_a_call_without_an_outcome_is_a_gap_once_it_is_due() -> None:
    result = joined([entry("a"), LAST, entry("late", at=590.0)], [decision("a"), decision("late", at=590.0)])
    assert kinds(result) == [(GapKind.CALL_WITHOUT_OUTCOME, "a")]


def test_a_tunnel_that_the_mesh_opens_itself_has_no_outcome_of_its_own() -> None:
    assert joined([entry("a", cluster="intercept:443"), LAST], [decision("a")]).gaps == ()


def test_what_is_older_than_the_time_that_is_asked_for_is_passed_over() -> None:
    assert joined([entry(None), LAST], [decision("a", at=1.0)], since=START + 60.0).gaps == ()


@pytest.mark.parametrize(
    "line", [b"garbage\n", b"{}\n", b'{"time":"yesterday"}\n', b'{"time":"2027-01-15T08:00:00"}\n', b'{"time":1}\n']
)
def test_a_line_that_cannot_be_read_is_a_gap_and_the_others_are_joined_all_the_same(line: bytes) -> None:
    result = joined([line, entry(None), LAST], [])
    assert [gap.kind for gap in result.gaps] == [GapKind.UNREADABLE, GapKind.CALL_WITHOUT_DECISION]
    assert result.gaps[0].line == 1


def test_a_damaged_record_is_a_gap_with_its_place() -> None:
    damaged = LogLine("authz-0/00000001.jsonl", 7, b'{"kind":"decision","decision_id":"a"}\n')
    (gap,) = read_calls([damaged]).unreadable
    assert (gap.kind, gap.file, gap.line) == (GapKind.UNREADABLE, "authz-0/00000001.jsonl", 7)


def test_nothing_at_all_has_no_gaps() -> None:
    result = joined([], [])
    assert (result.gaps, result.by_kind, result.calls) == ((), {}, 0)
