"""The memory twin of the outbox: one object, one process, for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis_authz.core.notice import Notice, NoticeKind, NoticeState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.testing.warning import warn_outside_tests


@dataclass
class _Row:
    notice: Notice
    due: float


class MemoryOutbox:
    """`ports.Outbox` in one process's memory."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._rows: list[_Row] = []

    async def enter(self, approval_id: ApprovalId, place: str, kind: NoticeKind, now: Epoch) -> bool:
        """Keep a notice to be delivered; returns whether it is new."""
        if self._row(approval_id, place, kind) is not None:
            return False
        former = self._row(approval_id, place, NoticeKind.HELD)
        receipt = "" if former is None else former.notice.receipt
        self._rows.append(_Row(Notice(approval_id, place, kind, NoticeState.WAITING, 0, receipt, ""), now))
        return True

    def enter_alert(self, alert_id: str, place: str, due: Epoch) -> None:
        """Keep a notice of an alert, unless it is there."""
        if self._row(alert_id, place, NoticeKind.ALERT) is None:
            self._rows.append(_Row(Notice(alert_id, place, NoticeKind.ALERT, NoticeState.WAITING, 0, "", ""), due))

    async def claim(self, channel: str, now: Epoch, until: Epoch) -> Notice | None:
        """The notice of that kind of channel that is due longest."""
        due = [
            row
            for row in self._rows
            if row.notice.channel == channel and row.notice.state is NoticeState.WAITING and row.due <= now
        ]
        if not due:
            return None
        row = min(due, key=lambda row: (row.notice.kind is NoticeKind.ALERT, row.due))
        former = self._row(row.notice.subject, row.notice.place, NoticeKind.HELD)
        receipt = "" if former is None else former.notice.receipt
        row.notice, row.due = replace(row.notice, attempts=row.notice.attempts + 1, receipt=receipt), until
        return row.notice

    async def next_due(self, channel: str) -> Epoch | None:
        """When the next notice of that kind of channel can be claimed."""
        waiting = (row for row in self._rows if row.notice.state is NoticeState.WAITING)
        return min((Epoch(row.due) for row in waiting if row.notice.channel == channel), default=None)

    async def complete(self, notice: Notice, receipt: str, now: Epoch) -> None:
        """It was delivered."""
        self._change(notice, state=NoticeState.DELIVERED, receipt=receipt, trouble="")

    async def postpone(self, notice: Notice, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then."""
        if self._change(notice, trouble=trouble):
            self._of(notice).due = until

    async def abandon(self, notice: Notice, trouble: str, now: Epoch) -> None:
        """It is not tried again."""
        self._change(notice, state=NoticeState.UNDELIVERED, trouble=trouble)

    async def unsettled(self) -> list[Notice]:
        """The notices of held calls that were delivered, and after which no other came yet."""
        return [
            row.notice
            for row in self._rows
            if row.notice.kind is NoticeKind.HELD
            and row.notice.state is NoticeState.DELIVERED
            and self._row(row.notice.subject, row.notice.place, NoticeKind.SETTLED) is None
        ]

    async def undelivered(self, limit: int) -> list[Notice]:
        """What could not be delivered, the newest first."""
        notices = [row.notice for row in self._rows if row.notice.state is NoticeState.UNDELIVERED]
        return notices[::-1][:limit]

    def _row(self, subject: str, place: str, kind: NoticeKind) -> _Row | None:
        key = (subject, place, kind)
        return next((row for row in self._rows if (row.notice.subject, row.notice.place, row.notice.kind) == key), None)

    def _of(self, notice: Notice) -> _Row:
        row = self._row(notice.subject, notice.place, notice.kind)
        if row is None:
            raise ValueError("a notice that was never entered")
        return row

    def _change(self, notice: Notice, **changes: object) -> bool:
        row = self._of(notice)
        is_own = row.notice.attempts == notice.attempts and row.notice.state is NoticeState.WAITING
        if is_own:
            row.notice = replace(row.notice, **changes)  # type: ignore[arg-type]  # fields of the notice
        return is_own
