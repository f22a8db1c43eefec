"""Of refusals that come by the thousand the first are recorded in full, and none is forgotten."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from aegis_authz.check.refusal_tally import (
    COUNTED,
    FIRST_IDS,
    FULL_OF_A_REASON,
    FULL_OF_A_SOURCE,
    MOST_WAITING,
    RefusalTally,
)
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.units import Epoch
from tests.support.made_records import DENIED

START = DENIED.time


def refusal(number: int, source: str = "10.0.0.1", reason: Reason = Reason.CREDENTIAL_MISSING) -> DecisionRecord:
    """A refusal of an unknown sender, some microseconds after the one before."""
    time = Epoch(START + number / 1e6)
    return replace(DENIED, decision_id=f"d-{number}", time=time, reason=reason, identity=None, source=source)


def test_the_first_of_a_second_are_recorded_in_full_and_the_others_counted() -> None:
    tally = RefusalTally()
    counted = [tally.counts(refusal(number)) for number in range(1000)]
    assert counted == [False] * FULL_OF_A_SOURCE + [True] * (1000 - FULL_OF_A_SOURCE)
    (count,) = tally.take(Epoch(START + 1))
    assert (count.reason, count.count) == (Reason.CREDENTIAL_MISSING, 990)
    assert (count.first_time, count.last_time, count.time) == (START + 10 / 1e6, START + 999 / 1e6, START + 1)
    assert count.decision_ids == tuple(f"d-{number}" for number in range(10, 10 + FIRST_IDS))
    assert count.sources == ("10.0.0.1",)
    assert tally.take(Epoch(START + 2)) == []


def test_one_source_does_not_hide_another() -> None:
    tally = RefusalTally()
    for number in range(100):
        tally.counts(refusal(number))
    assert not tally.counts(refusal(100, source="10.0.0.2"))
    assert not tally.counts(refusal(101, reason=Reason.OVERLOADED))


def test_many_sources_together_fill_no_disk() -> None:
    tally = RefusalTally()
    counted = [tally.counts(refusal(number, source=f"10.0.{number >> 8}.{number & 255}")) for number in range(1000)]
    assert counted.count(False) == FULL_OF_A_REASON
    (count,) = tally.take(START)
    assert len(count.sources) == FIRST_IDS


def test_while_eight_wait_for_the_disk_all_others_are_counted() -> None:
    tally = RefusalTally()
    with ExitStack() as waiting:
        for number in range(MOST_WAITING):
            record = refusal(number, source=f"10.0.0.{number}")
            assert not tally.counts(record)
            waiting.enter_context(tally.waiting(record))
        assert tally.counts(refusal(100, source="10.1.0.1", reason=Reason.CREDENTIAL_INVALID))
    assert not tally.counts(refusal(101, source="10.1.0.1", reason=Reason.CREDENTIAL_INVALID))
    (count,) = tally.take(START)
    assert (count.reason, count.count) == (Reason.CREDENTIAL_INVALID, 1)


def test_records_that_are_never_counted_do_not_count_as_waiting() -> None:
    tally = RefusalTally()
    denial = replace(DENIED, reason=Reason.POLICY_DENIED)
    with ExitStack() as waiting:
        for _ in range(MOST_WAITING):
            waiting.enter_context(tally.waiting(denial))
        assert not tally.counts(refusal(0))


def test_the_next_second_begins_anew() -> None:
    tally = RefusalTally()
    for number in range(100):
        tally.counts(refusal(number))
    assert not tally.counts(refusal(1_000_000))


def test_counts_of_a_reason_are_added_up() -> None:
    tally = RefusalTally()
    for number in range(20):
        tally.counts(refusal(number))
    (count,) = tally.take(START)
    tally.add(count)
    assert [one.count for one in tally.take(START)] == [10]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in COUNTED])
def test_what_was_judged_is_never_counted(reason: Reason) -> None:
    tally, effect = RefusalTally(), REASONS[reason].effect
    assert not any(tally.counts(replace(refusal(number, reason=reason), effect=effect)) for number in range(200))
    assert tally.take(START) == []


def test_only_denials_are_counted_and_tunnels_that_nobody_known_opened() -> None:
    assert {REASONS[reason].effect for reason in COUNTED - {Reason.TUNNEL_OPENED}} == {Effect.DENY}
    opened = replace(refusal(0, reason=Reason.TUNNEL_OPENED), effect=Effect.ALLOW)
    assert opened.identity is None
    tally = RefusalTally()
    assert any(tally.counts(opened) for _ in range(200))
    known = replace(opened, identity=DENIED.identity)
    assert not any(tally.counts(known) for _ in range(200))
