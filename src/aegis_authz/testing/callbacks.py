"""The memory twin of callbacks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.core.units import Epoch
from aegis_authz.testing.warning import warn_outside_tests


@dataclass
class _Row:
    callback: Callback
    due: float


class MemoryCallbacks:
    """`ports.Callbacks` in one process's memory."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._rows: dict[str, _Row] = {}

    async def enter(self, callback: Callback) -> None:
        """Keep one, as `ports.Callbacks` says."""
        row = self._rows.get(callback.id)
        if row is None:
            self._rows[callback.id] = _Row(callback, 0.0)
        elif row.callback.state is CallbackState.WATCHING:
            row.callback = replace(row.callback, echo=callback.echo, events=callback.events)

    async def watching(self) -> list[Callback]:
        """Those whose tasks are not settled, the oldest first."""
        return [row.callback for row in self._rows.values() if row.callback.state is CallbackState.WATCHING]

    async def settle(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled, and it is due."""
        self._change(callback, CallbackState.WATCHING, now, state=CallbackState.DUE)

    async def dismiss(self, callback: Callback, now: Epoch) -> None:
        """Its task is settled in a way that is not wanted."""
        self._change(callback, callback.state, now, state=CallbackState.UNWANTED)

    async def claim(self, endpoint: str, now: Epoch, until: Epoch) -> Callback | None:
        """The one of that endpoint that is due longest; nobody else gets it before `until`."""
        due = [
            row
            for row in self._rows.values()
            if (row.callback.endpoint, row.callback.state) == (endpoint, CallbackState.DUE) and row.due <= now
        ]
        if not due:
            return None
        row = min(due, key=lambda row: row.due)
        row.callback, row.due = replace(row.callback, attempts=row.callback.attempts + 1), until
        return row.callback

    async def next_due(self, endpoint: str) -> Epoch | None:
        """When the next one of that endpoint can be claimed."""
        key = (endpoint, CallbackState.DUE)
        rows = (row for row in self._rows.values() if (row.callback.endpoint, row.callback.state) == key)
        return min((Epoch(row.due) for row in rows), default=None)

    async def complete(self, callback: Callback, now: Epoch) -> None:
        """It was delivered."""
        self._change(callback, CallbackState.DUE, now, state=CallbackState.DELIVERED, trouble="")

    async def postpone(self, callback: Callback, trouble: str, until: Epoch) -> None:
        """It was not, and is tried again then."""
        self._change(callback, CallbackState.DUE, until, trouble=trouble)

    async def abandon(self, callback: Callback, trouble: str, now: Epoch) -> None:
        """It is not tried again."""
        self._change(callback, callback.state, now, state=CallbackState.UNDELIVERED, trouble=trouble)

    async def end_claims(self, now: Epoch) -> None:
        """Have all that is due be so by now."""
        for row in self._rows.values():
            row.due = min(row.due, now)

    def _change(self, callback: Callback, of: CallbackState, due: float, **changes: object) -> None:
        row = self._rows[callback.id]
        if (row.callback.attempts, row.callback.state) == (callback.attempts, of):
            row.callback, row.due = replace(row.callback, **changes), due  # type: ignore[arg-type]  # fields of it
