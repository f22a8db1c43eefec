"""Access logs joined with records as both grow."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.effect import Effect
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.evidence.reconciliation import Gap, GapKind, ProxyEntry, RecordedCalls, RecordedDecision
from aegis_authz.evidence.running_reconciliation import Patience, RunningReconciliation

PATIENCE = Patience(outcome=Seconds(60.0), call=Seconds(900.0))
NOW = Epoch(1_000.0)


def running(most: int = 100) -> RunningReconciliation:
    return RunningReconciliation(PATIENCE, most)


def entry(name: str, line: int = 1, upstream: str = "10.0.0.9:443", cluster: str = "tool:bank") -> ProxyEntry:
    return ProxyEntry("access.log", line, name, 990.0, upstream, cluster, "via_upstream")


def recorded(
    *decisions: str, outcomes: tuple[str, ...] = (), effect: Effect = Effect.ALLOW, at: float = 990.0
) -> RecordedCalls:
    made = {
        name: RecordedDecision("authz-0/00000001.jsonl", number, name, at, effect, False)
        for number, name in enumerate(decisions, start=1)
    }
    return RecordedCalls(made, frozenset(outcomes), ())


def judged(joined: RunningReconciliation, request: ProxyEntry, now: Epoch = NOW) -> list[GapKind]:
    return kinds(joined.add_entry(request, joined.decision(request.decision_id), now, is_settled=False))


def kinds(gaps: object) -> list[GapKind]:
    return [gap.kind for gap in gaps if isinstance(gap, Gap)]  # type: ignore[attr-defined]  # an iterable


def test_a_call_that_was_allowed_and_whose_outcome_came_is_no_gap() -> None:
    joined = running()
    joined.add_records(recorded("d1"))
    assert judged(joined, entry("d1")) == []
    joined.add_records(recorded(outcomes=("d1",)))
    assert kinds(joined.overdue(Epoch(9e9))) == []
    assert (joined.calls, joined.decisions, joined.outcomes, joined.unjudged) == (1, 1, 1, 0)


def test_an_outcome_may_come_before_the_line_of_the_access_log() -> None:
    joined = running()
    joined.add_records(recorded("d1", outcomes=("d1",)))
    assert judged(joined, entry("d1")) == []
    assert kinds(joined.overdue(Epoch(9e9))) == []


def test_a_call_that_reached_a_tool_without_an_allow_is_a_gap_at_once() -> None:
    joined = running()
    joined.add_records(recorded("refused", effect=Effect.DENY))
    assert judged(joined, entry("")) == [GapKind.CALL_WITHOUT_DECISION]
    assert judged(joined, entry("unknown")) == [GapKind.CALL_WITHOUT_RECORD]
    assert judged(joined, entry("refused")) == [GapKind.CALL_WITHOUT_ALLOW]


def test_a_decision_lets_a_single_call_through() -> None:
    joined = running()
    joined.add_records(recorded("d1", outcomes=("d1",)))
    assert judged(joined, entry("d1", line=4)) == []
    (gap,) = joined.add_entry(entry("d1", line=5), joined.decision("d1"), NOW, is_settled=False)
    assert gap.kind is GapKind.CALL_WITHOUT_ALLOW
    assert "access.log line 4" in gap.reason


def test_what_was_waited_for_long_enough_is_told_once() -> None:
    joined = running()
    joined.add_records(recorded("called", "uncalled"))
    judged(joined, entry("called"))
    assert kinds(joined.overdue(Epoch(NOW + 59))) == []
    assert kinds(joined.overdue(Epoch(NOW + 60))) == [GapKind.CALL_WITHOUT_OUTCOME]
    assert kinds(joined.overdue(Epoch(990 + 899))) == []
    assert kinds(joined.overdue(Epoch(990 + 900))) == [GapKind.ALLOW_WITHOUT_CALL]
    assert kinds(joined.overdue(Epoch(9e9))) == []


def test_a_question_has_no_call_and_a_refused_request_and_a_tunnel_into_the_mesh_have_no_outcome() -> None:
    joined = running()
    asked = RecordedDecision("authz-0/00000001.jsonl", 1, "asked", 990.0, Effect.ALLOW, True)
    joined.add_records(RecordedCalls({"asked": asked}, frozenset(), ()))
    joined.add_records(recorded("refused", effect=Effect.DENY))
    joined.add_records(recorded("tunnel"))
    assert judged(joined, entry("refused", upstream="")) == []
    assert judged(joined, entry("tunnel", cluster="intercept:a")) == []
    assert kinds(joined.overdue(Epoch(9e9))) == []


def test_lines_that_cannot_be_read_are_gaps() -> None:
    spoilt = Gap(GapKind.UNREADABLE, "", "authz-0/00000001.jsonl", 7, "not a record")
    assert running().add_records(replace(recorded(), unreadable=(spoilt,))) == (spoilt,)


def test_of_more_calls_than_are_remembered_the_oldest_are_counted_as_unjudged() -> None:
    joined = running(most=2)
    joined.add_records(recorded("a", "b", "c"))
    assert joined.unjudged == 1
    assert joined.decision("a") is None
    assert kinds(joined.overdue(Epoch(9e9))) == [GapKind.ALLOW_WITHOUT_CALL] * 2
