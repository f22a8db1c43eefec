"""Exports: at least once each, in the order of each log, whatever the receiver does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.commands.export import Export, ExportNotes, Source
from aegis_authz.commands.faults import Unable
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from tests.support.exported_records import EVERY, lines, payment, write_log

MANY = tuple(payment(number) for number in range(24))
FOR_EVER = float("inf")


class Killed(BaseException):
    """The process is gone."""


class Taker:
    """A receiver that does with each batch what its script says: "take", "later", "never", "die" or "die after"."""

    def __init__(self, script: Sequence[str] = (), poison: str = "") -> None:
        self.taken: list[str] = []
        self._script = list(script)
        self._poison = poison

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        step = self._script.pop(0) if self._script else "take"
        if step == "later":
            raise DeliveryFault("is busy", is_final=False)
        if step == "die":
            raise Killed
        if self._poison and any(self._poison in event.text for event in events):
            raise DeliveryFault("cannot read it", is_final=True)
        self.taken += [event.id for event in events]
        if step == "die after":
            raise Killed

    def close(self) -> None:
        pass


class Diary:
    """What the one who watches is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.waited: list[float] = []

    def notes(self) -> ExportNotes:
        return ExportNotes(
            line_fault=lambda fault: self.told.append(f"unreadable {fault}"),
            event_fault=lambda event, why: self.told.append(f"refused {event.id} {why}"),
            delay=lambda why, pause: self.told.append(f"waiting {why} {pause:g}"),
            wait=self.waited.append,
        )


def export(
    folder: Path,
    taker: Taker,
    diary: Diary | None = None,
    patience: float = FOR_EVER,
    since: float = 0.0,
    from_now: bool = False,
) -> Export:
    source = Source(folder / "records", folder / "cursor", since, from_now)
    shape = Shape(Format.JSON, Parameters.CLEAR, UTC, "1.0.0")
    job = Export(source, shape, taker, (diary or Diary()).notes(), patience, 10)
    job.start()
    return job


def ids(count: int, writer: str = "authz-0") -> list[str]:
    raws = [json.loads(line.raw) for line in lines(MANY[:count], writer)]
    return [f"{raw['writer']}:{raw['seq']}:{raw['hash'][:8]}" for raw in raws]


def test_every_record_is_delivered_once_in_order_and_the_next_run_goes_on(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:13])
    taker = Taker()
    export(tmp_path, taker).run()
    assert taker.taken == ids(13)
    write_log(tmp_path / "records", MANY)
    export(tmp_path, taker).run()
    assert taker.taken == ids(24)


def test_what_comes_while_it_follows_is_delivered(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:1])
    taker = Taker()
    job = export(tmp_path, taker)
    job.run()
    write_log(tmp_path / "records", MANY[:3])
    job.run()
    job.run()
    assert taker.taken == ids(3)


@given(script=st.lists(st.sampled_from(["take", "later", "die", "die after"]), max_size=12))
@settings(max_examples=30, deadline=None)
def test_wherever_it_is_killed_nothing_is_lost_and_order_stays(
    tmp_path_factory: pytest.TempPathFactory, script: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("export")
    write_log(folder / "records", MANY)
    taker = Taker(script)
    for _ in range(len(script) + 1):
        try:
            export(folder, taker).run()
        except Killed:
            continue
        break
    once = list(dict.fromkeys(taker.taken))
    assert once == ids(24)
    assert len(taker.taken) - len(once) <= 10 * script.count("die after")


def test_a_receiver_that_is_away_is_tried_with_longer_and_longer_pauses(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:1])
    diary = Diary()
    export(tmp_path, Taker(["later"] * 8), diary).run()
    assert diary.waited == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert diary.told[0] == "waiting is busy 1"


def test_after_its_patience_an_export_ends_and_keeps_its_place(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:3])
    with pytest.raises(Unable, match="the receiver is busy; 3 events wait at the cursor"):
        export(tmp_path, Taker(["later"] * 9), patience=3.0).run()
    taker = Taker()
    export(tmp_path, taker).run()
    assert taker.taken == ids(3)


def test_one_event_that_is_refused_for_good_keeps_no_other_from_its_place(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:22])
    taker, diary = Taker(poison='"d-17"'), Diary()
    job = export(tmp_path, taker, diary)
    job.run()
    poisoned = ids(22)[17]
    assert taker.taken == [name for name in ids(22) if name != poisoned]
    assert diary.told == [f"refused {poisoned} cannot read it"]
    assert (job.count.delivered, job.count.refused) == (21, 1)


def test_a_line_that_cannot_be_read_is_told_once_and_left_out(tmp_path: Path) -> None:
    path = write_log(tmp_path / "records", MANY[:3])
    path.write_bytes(path.read_bytes().replace(b'"decision_id":"d-1"', b'"decision_jd":"d-1"') + b"garbage\n")
    taker, diary = Taker(), Diary()
    job = export(tmp_path, taker, diary)
    job.run()
    job.run()
    assert [name.split(":")[1] for name in taker.taken] == ["1", "3"]
    assert [told.split(":")[0] for told in diary.told] == [
        "unreadable records/authz-0/00000001.jsonl line 2",
        "unreadable records/authz-0/00000001.jsonl line 4",
    ]
    assert job.count.unreadable == 2


def test_a_new_export_may_begin_behind_what_is_there_or_at_a_moment(tmp_path: Path) -> None:
    write_log(tmp_path / "records", MANY[:5])
    taker = Taker()
    job = export(tmp_path, taker, from_now=True)
    job.run()
    write_log(tmp_path / "records", MANY[:7])
    job.run()
    assert taker.taken == ids(7)[5:]
    later = Taker()
    write_log(tmp_path / "second" / "records", MANY[:7])
    export(tmp_path / "second", later, since=MANY[4].time).run()
    assert later.taken == ids(7)[4:]


def test_what_is_new_for_an_agent_is_remembered_between_runs(tmp_path: Path) -> None:
    write_log(tmp_path / "records", EVERY[:2])
    texts: list[str] = []

    class Reader(Taker):
        def deliver(self, events: Sequence[OutgoingEvent]) -> None:
            texts.extend(event.text for event in events)

    export(tmp_path, Reader()).run()
    write_log(tmp_path / "records", (*EVERY[:2], EVERY[1]))
    export(tmp_path, Reader()).run()
    assert [json.loads(text).get("first_use") for text in texts] == [None, True, False]


def test_a_folder_without_records_and_a_spoiled_cursor_are_told(tmp_path: Path) -> None:
    with pytest.raises(Unable, match="records"):
        export(tmp_path, Taker()).run()
    write_log(tmp_path / "records", MANY[:1])
    (tmp_path / "cursor").write_text("spoiled")
    with pytest.raises(Unable, match="is no cursor of an export"):
        export(tmp_path, Taker())
