"""The proof of all records, started by a person and shown to whoever may: one at a time, beside everything else."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, replace

from aegis_authz.control.records.reading import RecordBrowsing
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.search import RecordsUnavailable
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verification:
    """A proof that `by` asked for: begun and ended at these times, None while it goes on; what it says of each log, or
    the `fault` for which it says nothing.
    """

    by: str
    begun: Epoch
    ended: Epoch | None
    reports: tuple[LogReport, ...]
    fault: str

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self.ended is None

    @property
    def is_intact(self) -> bool:
        """Whether it ended, and nothing at all is wrong with any log."""
        return self.ended is not None and not self.fault and all(report.is_intact for report in self.reports)


class Verifier:
    """Verifies in a thread of its own, which ends with the process: a long proof keeps no server from stopping."""

    def __init__(self, browsing: RecordBrowsing, clock: Clock) -> None:
        self._browsing = browsing
        self._clock = clock
        self._last: Verification | None = None

    @property
    def last(self) -> Verification | None:
        """The proof that goes on, or the last one; None before the first."""
        return self._last

    def start(self, person: str) -> Verification:
        """Begin, unless one goes on already: then that one."""
        if self._last is not None and self._last.is_running:
            return self._last
        begun = Verification(person, self._clock.now(), None, (), "")
        self._last = begun
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._verify, args=(loop, begun), name="verify-records", daemon=True).start()
        return begun

    def _verify(self, loop: asyncio.AbstractEventLoop, begun: Verification) -> None:
        try:
            ended = replace(begun, reports=tuple(self._browsing.verify()))
        except RecordsUnavailable as fault:
            ended = replace(begun, fault=str(fault))
        except Exception:  # noqa: BLE001  # the bottom of a thread: without it a failed proof would seem to go on
            _log.exception("the records could not be verified")
            ended = replace(begun, fault="the proof failed; the control plane's log says more")
        with suppress(RuntimeError):  # the server has stopped meanwhile
            loop.call_soon_threadsafe(self._end, ended)

    def _end(self, verification: Verification) -> None:
        self._last = replace(verification, ended=self._clock.now())
