"""Moments as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_moment(text: str, now: float) -> float:
    """Epoch seconds of `10m` (that long before `now`; s, m, h or d), `2026-11-29`, `2026-11-29T13:00` or with a zone.

    Without a zone it is UTC, as records are shown. Raises ValueError with what may be written.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no moment: write how long ago (90s, 10m, 2h, 1d), or a time such as 2026-11-29T13:00Z"
        ) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def read_end(lasts: str, until: str, now: float) -> float | None:
    """Epoch seconds of the end that `--for 10m` or `--until MOMENT` name, None for neither. Raises ValueError."""
    if lasts and until:
        raise ValueError("say either --for or --until")
    if until:
        return read_moment(until, now)
    if not lasts:
        return None
    span = _AGO.fullmatch(lasts)
    if span is None:
        raise ValueError(f"{lasts!r} is no span of time: write 90s, 10m or 2h")
    return now + int(span[1]) * _SECONDS[span[2]]
