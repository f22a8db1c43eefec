"""What comes is indexed while the control plane runs, and told to those who watch."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from aegis_authz.control.records.live import LiveRecords, TooManyWatch
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import IndexedRecord, RecordPlace, RecordsUnavailable
from tests.control.records.test_reading import ScriptedBrowsing
from tests.support.made_records import DENIED

PATIENCE = Seconds(30.0)


def record(number: int) -> IndexedRecord:
    return IndexedRecord(StoredRecord("f", number, DENIED, ""), RecordPlace(1.0, "w", "f", number), 0, b"")


class Coming(ScriptedBrowsing):
    """Looks that bring what is scripted, one after the other, and then nothing."""

    def __init__(self, *looks: Sequence[IndexedRecord] | str, lines: int = 0) -> None:
        super().__init__()
        self._looks = list(looks)
        self._lines = lines

    def advance(self, most: int) -> tuple[int, list[IndexedRecord]]:
        look = self._looks.pop(0) if self._looks else []
        if isinstance(look, str):
            raise RecordsUnavailable(look)
        return self._lines or len(look), list(look)


async def test_what_comes_is_told_to_all_who_watch_and_to_nobody_who_came_later() -> None:
    live = LiveRecords(Coming([record(1)], [record(2), record(3)]))
    with live.watching("ann") as ann:
        await live.look()
        with live.watching("bob") as bob:
            await live.look()
            assert [each.place.line for each in await ann.take(PATIENCE)] == [1, 2, 3]
            assert [each.place.line for each in await bob.take(PATIENCE)] == [2, 3]
    assert (ann.missed, bob.missed) == (0, 0)


async def test_whoever_looks_too_seldom_is_told_how_much_was_missed() -> None:
    live = LiveRecords(Coming([record(number) for number in range(1, 251)]))
    with live.watching("ann") as ann:
        await live.look()
        assert [len(await ann.take(PATIENCE)), ann.missed] == [200, 50]


async def test_nothing_comes_within_the_patience_and_the_wait_is_over() -> None:
    live = LiveRecords(Coming())
    with live.watching("ann") as ann:
        assert await ann.take(Seconds(0.01)) == []
        assert not ann.is_over


async def test_who_watches_is_let_go_when_the_server_stops() -> None:
    live = LiveRecords(Coming())
    with live.watching("ann") as ann:
        waiting = asyncio.create_task(ann.take(PATIENCE))
        await asyncio.sleep(0)
        live.close()
        assert (await waiting, ann.is_over) == ([], True)
    with live.watching("bob") as bob:
        assert bob.is_over


async def test_of_each_person_so_many_watch_and_no_more_until_another_ends() -> None:
    live = LiveRecords(Coming())
    watches = [live.watching("ann") for _ in range(6)]
    for watch in watches:
        watch.__enter__()
    with pytest.raises(TooManyWatch, match="close one"), live.watching("ann"):
        pass
    with live.watching("bob"):
        pass
    watches[0].__exit__(None, None, None)
    with live.watching("ann"):
        pass


async def test_an_index_that_is_behind_is_gone_on_with_at_once_and_a_whole_one_after_a_pause() -> None:
    live = LiveRecords(Coming([record(1)], lines=500), Seconds(7.0))
    assert await live.look() < 7.0
    assert await LiveRecords(Coming([record(1)]), Seconds(7.0)).look() == 7.0


async def test_what_hinders_is_in_the_log_once_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    live = LiveRecords(Coming("the disk is away", "the disk is away", [], "the disk is away"))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            await live.look()
    assert caplog.text.count("the disk is away") == 2


async def test_the_watch_looks_until_it_is_cancelled() -> None:
    live = LiveRecords(Coming([], [], [record(1)]), Seconds(0.001))
    with live.watching("ann") as ann:
        watch = asyncio.create_task(live.watch())
        assert [each.place.line for each in await ann.take(PATIENCE)] == [1]
        watch.cancel()
