"""Acts in the change log: a line before each, and another where it then was not done, or nobody knows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aegis_authz.core.person import Person
from aegis_authz.core.release import ReleasesFault
from aegis_authz.ports.control_plane import EnrolmentsFault, RevocationListFault
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.key_rings import KeyRingFault

Note = Callable[[Person, str, str, str, str], Awaitable[None]]
"""Writes who does what (`noun:verb`), to what, where and why. Raises DatabaseFault."""

NOT_DONE = "this was not done"
UNKNOWN = "outcome unknown: this may have been done"
_FAULTS = (StoreDown, DatabaseFault, ReleasesFault, EnrolmentsFault, RevocationListFault, KeyRingFault, OSError)
"""What says nothing of an effect: a store whose answer did not come may have taken what it was sent."""

Result = TypeVar("Result")


async def done_or_noted(
    act: Callable[[], Awaitable[Result]],
    note: Callable[[str], Awaitable[None]],
    failure: Callable[[Result], str] = lambda _: "",
) -> Result:
    """Do what is a line of the change log already; `note` writes the other line where it comes to nothing.

    It does where `act` raises, and where `failure` says of what it gives that it is none: NOT_DONE or UNKNOWN. Of what
    is interrupted, and of a store that did not answer, nobody knows.
    """
    words = UNKNOWN
    try:
        result = await act()
        words = failure(result)
        return result
    except _FAULTS:
        raise
    except Exception:
        words = NOT_DONE
        raise
    finally:
        if words:
            await note(words)
