"""Of refusals that come by the thousand the first are recorded in full, and none is forgotten."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from aegis_authz.check.refusal_tally import (
    COUNTED,
    FIRST_IDS,
    FULL_OF_A_REASON,
    FULL_OF_A_SOURCE,
    MOST_WAITING,
    RefusalTally,
    may_count,
)
from aegis_authz.core.decision import Decision, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.record import RefusalsRecord
from aegis_authz.core.units import NO_REVISION, DecisionId, Epoch
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal

START = 1_800_000_000.0
OF_KNOWN_AGENTS = {Reason.OVERLOADED}


def refusal(number: int, source: str = "10.0.0.1", reason: Reason = Reason.CREDENTIAL_MISSING) -> UnrecordedRefusal:
    """A refusal of an unknown sender, some microseconds after the one before."""
    time = Epoch(START + number / 1e6)
    return UnrecordedRefusal(DecisionId(f"d-{number}"), time, Effect.DENY, reason, source, None, {}, 0.1)


def is_counted(tally: RefusalTally, one: UnrecordedRefusal) -> bool:
    """What becomes of a refusal whose record is on disk at once."""
    if tally.is_full(one.reason, one.source, one.time):
        tally.count(one)
        return True
    with tally.recording(one.reason, one.source):
        return False


def test_the_first_of_a_second_are_recorded_in_full_and_the_others_counted() -> None:
    tally = RefusalTally()
    counted = [is_counted(tally, refusal(number)) for number in range(1000)]
    assert counted == [False] * FULL_OF_A_SOURCE + [True] * (1000 - FULL_OF_A_SOURCE)
    (count,) = tally.take(Epoch(START + 1))
    assert (count.reason, count.count) == (Reason.CREDENTIAL_MISSING, 990)
    assert (count.first_time, count.last_time, count.time) == (START + 10 / 1e6, START + 999 / 1e6, START + 1)
    assert count.decision_ids == tuple(f"d-{number}" for number in range(10, 10 + FIRST_IDS))
    assert count.sources == ("10.0.0.1",)
    assert tally.take(Epoch(START + 2)) == []


def test_to_look_whether_it_is_full_fills_nothing() -> None:
    tally = RefusalTally()
    assert not any(tally.is_full(Reason.OVERLOADED, "10.0.0.1", Epoch(START)) for _ in range(1000))
    assert tally.take(Epoch(START)) == []


def test_one_source_does_not_hide_another() -> None:
    tally = RefusalTally()
    for number in range(100):
        is_counted(tally, refusal(number))
    assert not is_counted(tally, refusal(100, source="10.0.0.2"))
    assert not is_counted(tally, refusal(101, reason=Reason.OVERLOADED))


def test_many_sources_together_fill_no_disk() -> None:
    tally = RefusalTally()
    counted = [is_counted(tally, refusal(number, f"10.0.{number >> 8}.{number & 255}")) for number in range(1000)]
    assert counted.count(False) == FULL_OF_A_REASON
    (count,) = tally.take(Epoch(START))
    assert len(count.sources) == FIRST_IDS


def test_while_eight_wait_for_the_disk_all_others_are_counted() -> None:
    tally = RefusalTally()
    late = refusal(100, source="10.1.0.1", reason=Reason.CREDENTIAL_INVALID)
    with ExitStack() as waiting:
        for number in range(MOST_WAITING):
            one = refusal(number, source=f"10.0.0.{number}")
            assert not tally.is_full(one.reason, one.source, one.time)
            waiting.enter_context(tally.recording(one.reason, one.source))
        assert is_counted(tally, late)
    assert not is_counted(tally, late)
    (count,) = tally.take(Epoch(START))
    assert (count.reason, count.count) == (Reason.CREDENTIAL_INVALID, 1)


def test_what_fails_while_it_is_recorded_waits_no_longer() -> None:
    tally = RefusalTally()
    for number in range(MOST_WAITING):
        with pytest.raises(RuntimeError), tally.recording(Reason.OVERLOADED, f"10.0.0.{number}"):
            raise RuntimeError("the disk")
    assert not tally.is_full(Reason.OVERLOADED, "10.1.0.1", Epoch(START))


def test_the_next_second_begins_anew() -> None:
    tally = RefusalTally()
    for number in range(100):
        is_counted(tally, refusal(number))
    assert not is_counted(tally, refusal(1_000_000))


def test_a_count_that_could_not_be_recorded_is_added_to_what_came_since() -> None:
    tally = RefusalTally()
    for number in (3, 1, 2):
        tally.count(refusal(number, source=f"10.0.0.{number}"))
    (before,) = tally.take(Epoch(START))
    tally.count(refusal(9, source="10.0.0.2"))
    tally.add(before)
    (count,) = tally.take(Epoch(START + 1))
    assert count == RefusalsRecord(
        START + 1,
        Reason.CREDENTIAL_MISSING,
        4,
        START + 1 / 1e6,
        START + 9 / 1e6,
        ("d-3", "d-1", "d-2", "d-9"),
        ("10.0.0.3", "10.0.0.1", "10.0.0.2"),
    )


def test_counts_that_cannot_be_recorded_for_long_name_no_more_than_the_first() -> None:
    tally = RefusalTally()
    for turn in range(5):
        for number in range(5):
            tally.count(refusal(100 * turn + number, source=f"10.0.{turn}.{number}"))
        (count,) = tally.take(Epoch(START))
        tally.add(count)
    (count,) = tally.take(Epoch(START))
    assert (count.count, len(count.decision_ids), len(count.sources)) == (25, FIRST_IDS, FIRST_IDS)
    assert count.decision_ids[:5] == ("d-0", "d-1", "d-2", "d-3", "d-4")


def made(reason: Reason) -> Decision:
    """A decision of that reason."""
    if REASONS[reason].effect is Effect.DENY:
        return denied(reason, "", NO_REVISION)
    return Decision(REASONS[reason].effect, reason, "", (), NO_REVISION, (), (), None, None, None, ())


@pytest.mark.parametrize("reason", list(Reason))
def test_only_what_nobody_known_caused_may_be_counted_but_for_a_want_of_room(reason: Reason) -> None:
    assert may_count(made(reason), is_known=False) == (reason in COUNTED)
    assert may_count(made(reason), is_known=True) == (reason in OF_KNOWN_AGENTS)


def test_only_denials_are_counted_and_tunnels_that_nobody_known_opened() -> None:
    assert {REASONS[reason].effect for reason in COUNTED - {Reason.TUNNEL_OPENED}} == {Effect.DENY}
