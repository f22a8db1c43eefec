"""Moments as formats write them."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(time: float) -> datetime:
    """Epoch seconds as a moment; the epoch itself for what is none."""
    try:
        return datetime.fromtimestamp(time, UTC)
    except (OverflowError, ValueError, OSError):  # a damaged line may name any number
        return datetime.fromtimestamp(0, UTC)


def iso_time(time: float) -> str:
    """Epoch seconds as UTC, RFC 3339 with milliseconds; the epoch itself for what is no moment."""
    return utc(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(time: float) -> int:
    """Epoch seconds as whole milliseconds; 0 for what is no moment."""
    return round(utc(time).timestamp() * 1000)
