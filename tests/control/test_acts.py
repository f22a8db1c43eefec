from __future__ import annotations

import pytest

from aegis_authz.control.acts import NOT_DONE, done_or_noted


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, text: str) -> None:
        self.lines.append(text)


async def fails() -> int:
    raise OSError("the disk is away")


async def answers() -> int:
    return 409


async def test_what_raises_and_what_is_refused_is_a_second_line() -> None:
    notes = Notes()
    with pytest.raises(OSError, match="away"):
        await done_or_noted(fails, notes)
    assert await done_or_noted(answers, notes, lambda status: status < 400) == 409
    assert notes.lines == [NOT_DONE, NOT_DONE]


async def test_what_is_done_has_its_one_line_already() -> None:
    notes = Notes()
    assert await done_or_noted(answers, notes) == 409
    assert notes.lines == []
