"""How people decide held calls, as the control plane answers it."""

from __future__ import annotations

from aegis_authz.api.model import Answer


class OversightRow(Answer):
    """Held calls that have `key` in common; the members are those of `aegis approvals figures`."""

    key: str
    asked: int
    approved: int
    denied: int
    cancelled: int
    expired: int
    median_seconds: float | None
    hasty: int


class StampAnswer(Answer):
    """Somebody who approves without reading: `hasty` of the approvals took less than three seconds."""

    person: str
    approvals: int
    hasty: int


class OversightAnswer(Answer):
    """The figures, most asked first, and who approves without reading."""

    by: str
    days: float
    rows: tuple[OversightRow, ...]
    rubber_stamping: tuple[StampAnswer, ...]
