"""How long a process serves: until it is told to stop, or until a part of it has ended that never should."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

_log = logging.getLogger(__name__)


async def end_of(stop: asyncio.Event, parts: Mapping[str, asyncio.Task[None]]) -> str:
    """Wait for the end: "" when the process was told to stop, else the sentence of the part that ended by itself.

    Nobody else would miss such a part: whatever it had last said of its state would stand for ever.
    """
    signal = asyncio.create_task(stop.wait())
    await asyncio.wait((signal, *parts.values()), return_when=asyncio.FIRST_COMPLETED)
    signal.cancel()
    if stop.is_set():
        return ""
    name, part = next((name, part) for name, part in parts.items() if part.done())
    fault = None if part.cancelled() else part.exception()
    why = "" if fault is None else f": {type(fault).__name__}"
    _log.error("%s ended by itself", name, exc_info=fault)
    return f"{name} ended by itself{why}"
