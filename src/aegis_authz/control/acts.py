"""Acts in the change log: a line before each, and another where it then was not done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aegis_authz.core.person import Person

Note = Callable[[Person, str, str, str, str], Awaitable[None]]
"""Writes who does what (`noun:verb`), to what, where and why. Raises DatabaseFault."""

NOT_DONE = "this was not done"

Result = TypeVar("Result")


async def done_or_noted(
    act: Callable[[], Awaitable[Result]],
    note: Callable[[str], Awaitable[None]],
    is_done: Callable[[Result], bool] = lambda _: True,
) -> Result:
    """Do what is a line of the change log already; `note` writes the other line where it comes to nothing.

    It does where `act` raises, and where what it gives is not `is_done`.
    """
    came_about = False
    try:
        result = await act()
        came_about = is_done(result)
        return result
    finally:
        if not came_about:
            await note(NOT_DONE)
