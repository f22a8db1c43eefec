from __future__ import annotations

import asyncio

import pytest

from aegis_authz.control.acts import NOT_DONE, UNKNOWN, done_or_noted
from aegis_authz.core.approval import ApprovalConflict
from aegis_authz.ports.data_plane import StoreDown


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, text: str) -> None:
        self.lines.append(text)


async def refuses() -> int:
    raise ApprovalConflict("somebody else was faster")


async def answers() -> int:
    return 409


def failure(status: int) -> str:
    return NOT_DONE if status < 500 else UNKNOWN


async def test_what_is_refused_is_a_second_line() -> None:
    notes = Notes()
    with pytest.raises(ApprovalConflict):
        await done_or_noted(refuses, notes)
    assert await done_or_noted(answers, notes, failure) == 409
    assert notes.lines == [NOT_DONE, NOT_DONE]


@pytest.mark.parametrize("fault", [StoreDown("no answer in time"), TimeoutError(), OSError("away")], ids=repr)
async def test_nobody_says_that_something_was_not_done_where_no_answer_came(fault: Exception) -> None:
    async def fails() -> int:
        raise fault

    notes = Notes()
    with pytest.raises(type(fault)):
        await done_or_noted(fails, notes)
    assert notes.lines == [UNKNOWN]


async def test_of_what_is_interrupted_nobody_knows() -> None:
    begun, notes = asyncio.Event(), Notes()

    async def waits() -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    task = asyncio.create_task(done_or_noted(waits, notes))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert notes.lines == [UNKNOWN]


async def test_what_is_done_has_its_one_line_already() -> None:
    notes = Notes()
    assert await done_or_noted(answers, notes) == 409
    assert notes.lines == []
