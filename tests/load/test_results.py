"""Reading vegeta's results, on lines as it writes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.load.outcome import Outcome
from aegis_authz.load.results import read_outcome

Row = Callable[..., str]
OURS = "X-Aegis-Decision: deny\r\n"


def problem(reason: str) -> str:
    return f'{{"type":"about:blank","reason":"{reason}"}}'


def closed(*lines: str) -> Outcome:
    return read_outcome(lines, None, 0.0)


def test_right_answers_are_counted_with_their_latencies(row: Row) -> None:
    seen = closed(row(0, 100, 5), row(1, 101, 3), row(2, 150, 10, 403, "403"))
    assert (seen.sent, seen.right, seen.wrong, seen.failed, seen.turned_away) == (3, 3, 0, 0, 0)
    assert seen.latencies == pytest.approx((0.003, 0.005, 0.010))
    assert seen.seconds == pytest.approx(0.060)
    assert seen.offered is None


def test_an_allow_where_a_denial_was_due_is_wrong(row: Row) -> None:
    seen = closed(row(0, 0, 5, 200, "403/POLICY_DENIED"))
    assert (seen.right, seen.wrong) == (0, 1)
    assert seen.faults == {"HTTP 200 where 403 was due": 1}


def test_a_denial_where_an_allow_was_due_is_wrong_and_its_reason_told(row: Row) -> None:
    seen = closed(row(0, 0, 5, 403, "200", problem("REPLAYED"), OURS))
    assert (seen.right, seen.wrong, seen.turned_away) == (0, 1, 0)
    assert seen.faults == {"HTTP 403 REPLAYED where 200 was due": 1}


def test_a_denial_for_another_reason_than_the_one_due_is_wrong(row: Row) -> None:
    due = "403/POLICY_DENIED"
    seen = closed(row(0, 0, 5, 403, due, problem("REPLAYED")), row(1, 0, 5, 403, due, problem("POLICY_DENIED")))
    assert (seen.right, seen.wrong) == (1, 1)


def test_a_denial_that_tells_no_reason_is_taken_for_the_one_due(row: Row) -> None:
    bodies = ("", "denied", "[1]", '{"reason":7}')
    assert closed(*(row(n, 0, 5, 403, "403/POLICY_DENIED", body) for n, body in enumerate(bodies))).right == 4


def test_refusals_are_counted_by_reason_and_are_not_wrong(row: Row) -> None:
    seen = closed(
        row(0, 0, 5, 503, "200", problem("OVERLOADED"), OURS),
        row(1, 0, 5, 503, "403", problem("OVERLOADED"), OURS),
        row(2, 0, 5, 429, "200", "", OURS),
        row(3, 0, 5, 503, "200", "upstream connect error", "Server: envoy\r\n"),
    )
    assert seen.refused == {"OVERLOADED": 2, "HTTP 429": 1, "HTTP 503 without a decision": 1}
    assert (seen.right, seen.wrong, seen.failed) == (0, 0, 0)
    assert seen.faults == {}


def test_what_envoy_refuses_for_want_of_an_authorizer_is_no_fault_of_one(row: Row) -> None:
    document = '{"reason": "INTERNAL_FAULT", "detail": "%s"}'
    seen = closed(
        row(0, 0, 5, 503, "200", document % "ext_authz_error", OURS),
        row(1, 0, 5, 503, "200", document % "KeyError", OURS),
    )
    assert seen.refused == {"NO_AUTHORIZER": 1, "INTERNAL_FAULT": 1}


def test_a_call_without_an_answer_failed_and_says_why(row: Row) -> None:
    error = '"Post ""http://127.0.0.1:1/pay#200"": dial tcp 127.0.0.1:1: connect: connection refused"'
    seen = closed(row(0, 0, 5, 0, error=error))
    assert (seen.failed, seen.right) == (1, 0)
    assert seen.faults == {"connection refused": 1}


def test_a_hit_after_the_targets_ran_out_was_no_call(row: Row) -> None:
    assert closed(row(0, 0, 5), row(1, 9, 0, 0, "", error="no targets to attack")).sent == 1


def test_an_open_loop_counts_from_when_the_call_was_due_to_be_sent(row: Row) -> None:
    # 10 ms apart; call 2 was sent 20 ms late because nothing was free to send it
    lines = [row(0, 1000, 1), row(1, 1010, 1), row(2, 1040, 1), row(3, 1040, 1)]
    assert read_outcome(lines, 100, 0.010).latencies == pytest.approx((0.001, 0.001, 0.011, 0.021))
    assert closed(*lines).latencies == pytest.approx((0.001,) * 4)


def test_a_late_beginning_does_not_make_what_follows_early(row: Row) -> None:
    lines = [row(0, 1015, 1), row(1, 1015, 1), row(2, 1020, 1)]
    assert read_outcome(lines, 100, 0.010).latencies == pytest.approx((0.001, 0.006, 0.016))


def test_a_call_refused_moves_no_schedule(row: Row) -> None:
    lines = [row(0, 1000, 1, 503), row(1, 1030, 1)]
    assert read_outcome(lines, 100, 0.010).latencies == pytest.approx((0.021,))


def test_nothing_sent_is_an_outcome_too() -> None:
    seen = read_outcome([], 100, 0.01)
    assert (seen.sent, seen.seconds, seen.latencies) == (0, 0.0, ())


def test_results_of_another_load_are_refused(row: Row) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        closed(row(0, 0, 5, due="somewhere"))
