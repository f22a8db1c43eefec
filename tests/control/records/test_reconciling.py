"""Access logs held against the records, all the time, with real files on both sides."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.browsing import RecordBrowser
from aegis_authz.adapters.records.call_journal import CallJournal
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.records import reconciling
from aegis_authz.control.records.reconciling import PATIENCE, Reconciler
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import OutcomeRecord, Record
from aegis_authz.core.units import Epoch, Seconds
from tests.support.made_records import DENIED

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ALLOWED = replace(DENIED, decision_id="allowed", effect=Effect.ALLOW, reason=Reason.ALLOWED)
OUTCOME = OutcomeRecord("allowed", ALLOWED.time + 1, 201, "via_upstream", (), True, 0, 0, 1.0, 2.0, None)


class HeldClock(SystemClock):
    """A clock that a test sets."""

    time = Epoch(ALLOWED.time)

    def now(self) -> Epoch:
        return self.time


class Place:
    """A folder with an access log and records, and what looks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = HeldClock()
        self.records = folder / "records"
        self.records.mkdir()
        self.is_level = True
        self.journals: list[CallJournal] = []
        self.browser = RecordBrowser(self.records, folder / "records.index", list, None)
        self.reconciler = self.started()

    def started(self) -> Reconciler:
        """One more, as after a restart."""
        journal = CallJournal([self.folder / "access.log"], self.records, self.folder / "reconciled.json")
        self.journals.append(journal)
        return Reconciler(journal, self.browser, lambda: self.is_level, self.clock, Seconds(0.0))

    def log_request(self, name: str | None, upstream: str = "10.0.0.9:443") -> None:
        line = {
            "time": "2027-01-15T08:00:00.000Z",
            "decision_id": name,
            "upstream": upstream,
            "details": "via_upstream",
        }
        with (self.folder / "access.log").open("a") as file:
            file.write(json.dumps(line) + "\n")

    async def record(self, *records: Record) -> None:
        async with FileRecordLog(self.records / "authz-0", "authz-0", KEY, SystemClock()) as log:
            for record in records:
                await log.append(record)

    def found(self) -> dict[str, int]:
        """How many gaps of each kind there are."""
        return dict(self.reconciler.state.by_kind)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    made = Place(tmp_path)
    await made.reconciler.look()
    yield made
    for journal in made.journals:
        journal.close()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR):
        yield caplog


async def test_calls_that_fit_are_counted_and_no_gap(place: Place) -> None:
    await place.record(ALLOWED, DENIED)
    place.log_request("allowed")
    place.log_request(DENIED.decision_id, upstream="")
    await place.record(OUTCOME)
    await place.reconciler.look()
    state = place.reconciler.state
    assert (state.calls, state.decisions, state.outcomes, state.by_kind, state.trouble) == (1, 2, 1, {}, "")
    assert state.looked_at == place.clock.time


async def test_a_call_that_went_by_is_said_at_once_and_once(place: Place, log: pytest.LogCaptureFixture) -> None:
    await place.record(DENIED)
    place.log_request(None)
    place.log_request(DENIED.decision_id)
    place.log_request("unknown")
    for _ in range(2):
        await place.reconciler.look()
    assert place.found() == {"call-without-decision": 1, "call-without-allow": 1, "call-without-record": 1}
    assert [gap.line for gap in place.reconciler.state.gaps] == [3, 2, 1]
    assert "GAP call-without-decision in access.log line 1: it was sent to 10.0.0.9:443" in log.text


async def test_a_flood_of_gaps_is_counted_and_does_not_fill_the_log(
    place: Place, log: pytest.LogCaptureFixture
) -> None:
    for _ in range(700):
        place.log_request(None)
    await place.reconciler.look()
    assert place.found() == {"call-without-decision": 700}
    assert len(log.records) == 6
    assert log.records[-1].getMessage() == "more GAPS at once: aegis audit reconcile names all of them"


async def test_an_outcome_and_a_call_that_never_come_are_gaps_once_they_are_due(place: Place) -> None:
    await place.record(ALLOWED, replace(ALLOWED, decision_id="uncalled"))
    place.log_request("allowed")
    await place.reconciler.look()
    assert place.found() == {}
    place.clock.time = Epoch(place.clock.time + PATIENCE.outcome)
    await place.reconciler.look()
    assert place.found() == {"call-without-outcome": 1}
    place.clock.time = Epoch(ALLOWED.time + PATIENCE.call)
    await place.reconciler.look()
    assert place.found() == {"call-without-outcome": 1, "allow-without-call": 1}


async def test_a_call_whose_decision_is_old_waits_for_the_index(place: Place) -> None:
    await place.record(ALLOWED, OUTCOME)
    place.clock.time = Epoch(ALLOWED.time + 1)
    place.reconciler = restarted = place.started()  # which begins behind the decision
    (place.folder / "reconciled.json").unlink()
    place.is_level = False
    await restarted.look()
    place.log_request("allowed")
    await restarted.look()
    assert (restarted.state.calls, place.found()) == (0, {})
    place.browser.advance(100)
    place.is_level = True
    await restarted.look()
    assert (restarted.state.calls, place.found()) == (1, {})


async def test_an_outcome_from_before_reading_began_is_found_for_a_request_that_envoy_wrote_later(place: Place) -> None:
    await place.record(ALLOWED, OUTCOME)
    place.reconciler = place.started()
    (place.folder / "reconciled.json").unlink()
    await place.reconciler.look()  # which begins behind both
    place.log_request("allowed")
    place.browser.advance(100)
    await place.reconciler.look()
    place.clock.time = Epoch(place.clock.time + PATIENCE.outcome)
    await place.reconciler.look()
    assert (place.reconciler.state.calls, place.found()) == (1, {})


async def test_after_a_restart_what_waited_is_judged_and_nothing_is_passed_over(place: Place) -> None:
    await place.record(ALLOWED)
    place.log_request("allowed")
    await place.reconciler.look()
    place.log_request(None)  # while no control plane is there
    place.reconciler = place.started()
    await place.reconciler.look()
    assert place.found() == {"call-without-decision": 1}
    place.clock.time = Epoch(place.clock.time + PATIENCE.outcome)
    await place.reconciler.look()
    assert place.found() == {"call-without-decision": 1, "call-without-outcome": 1}


async def test_what_hinders_a_look_is_said_once_and_then_all_is_judged(
    place: Place, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.folder / "access.log").symlink_to("access.log")
    for _ in range(2):
        await place.reconciler.look()
    assert "access.log" in place.reconciler.state.trouble
    assert len(log.records) == 1
    (place.folder / "access.log").unlink()
    place.log_request(None)
    monkeypatch.setattr(reconciling, "_BATCH", 1)
    place.log_request(None)
    await place.reconciler.look()
    assert (place.found(), place.reconciler.state.trouble) == ({"call-without-decision": 2}, "")
