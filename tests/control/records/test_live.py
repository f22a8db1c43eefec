"""What comes is indexed while the control plane runs, and told to those who watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence

import pytest

from aegis_authz.control.records.live import MOST_RECENT, LiveRecords
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import IndexedRecord, RecordPlace, RecordsUnavailable
from tests.control.records.test_reading import ScriptedBrowsing
from tests.support.made_records import DENIED


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


async def test_whoever_asks_is_told_what_came_since_and_nothing_twice() -> None:
    live = LiveRecords(Coming([record(1)], [record(2), record(3)]))
    await live.look()
    number = live.number
    await live.look()
    news = live.since(number)
    assert ([each.place.line for each in news.records], news.missed) == ([2, 3], 0)
    assert live.since(news.number).records == ()
    assert [each.place.line for each in live.since(0).records] == [1, 2, 3]


async def test_whoever_asks_too_seldom_is_told_how_much_was_missed() -> None:
    live = LiveRecords(Coming([record(number) for number in range(1, MOST_RECENT + 51)]))
    await live.look()
    news = live.since(0)
    assert (len(news.records), news.missed, news.number) == (MOST_RECENT, 50, MOST_RECENT + 50)


async def test_before_the_first_look_nothing_is_known() -> None:
    live = LiveRecords(Coming("the disk is away", []))
    await live.look()
    with pytest.raises(RecordsUnavailable, match="not looked at yet"):
        live.since(0)
    await live.look()
    assert live.since(0).records == ()


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
    watch = asyncio.create_task(live.watch())
    async with asyncio.timeout(30):
        await live.look()
        while not live.number:  # the watch has no event of its own
            await asyncio.sleep(0.001)
    watch.cancel()


async def test_a_watch_that_ends_leaves_no_thread_that_rests() -> None:
    browsing = Coming([record(1)])
    live = LiveRecords(browsing, Seconds(3600.0))
    watch = asyncio.create_task(live.watch())
    async with asyncio.timeout(30):
        while not any(thread.name.startswith("records-live") for thread in threading.enumerate()):
            await asyncio.sleep(0)
        watch.cancel()
        while any(thread.name.startswith("records-live") for thread in threading.enumerate()):
            await asyncio.sleep(0)
    assert live.number == 1
