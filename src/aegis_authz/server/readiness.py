"""Whether every control is loaded; green only when all are, and red names the one that is not.

Two verdicts: *ready* is the state of this moment. *Serving* is what Envoy balances by: red until every control was
ready once (but for those of one caller alone), and again from the drain on. In between it stays green also when OPA or
Redis is down, because a worker that is asked denies with the right reason and records it, and one that is
not asked does neither.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

_log = logging.getLogger(__name__)

Probe = Callable[[], Awaitable[str]]
"""Looks at one control; returns "" when it is ready, else why it is not. Never raises."""


LOOK_EVERY = 1.0
"""Seconds between two looks: Envoy asks a healthy worker once a second (proxy/authorizers.py)."""


class HealthSink(Protocol):
    """Where the verdict goes (gRPC health)."""

    async def set_health(self, ready: bool, serving: bool) -> None:
        """Make both verdicts known to those who watch."""
        ...


class Readiness:
    """Asks each control in turn, every `interval` seconds, and tells the sink.

    `probes` maps a control's name (keys, bundle, store, records) to its probe.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        sink: HealthSink,
        interval: float = LOOK_EVERY,
        apart: Collection[str] = (),
        partial: Collection[str] = (),
    ) -> None:
        """`apart` are controls of some calls alone: without them we are not ready, and serve the other calls.

        `partial` are those whose trouble is the same for every worker, such as a server of some tenants: it is told,
        and we are ready, for nothing would be gained by asking another.
        """
        self._probes = probes
        self._sink = sink
        self._apart = apart
        self._partial = partial
        self._interval = interval
        self._controls: Mapping[str, str] = dict.fromkeys(probes, "not looked at yet")
        self._could_serve = False
        self._draining = False
        self._logged = "never looked"

    @property
    def ready(self) -> bool:
        """Whether every control was ready when last looked at, and no drain has begun."""
        return not self._draining and not self._missing(self._partial)

    @property
    def controls(self) -> Mapping[str, str]:
        """Each control's name and its trouble, "" for none."""
        drain = {"drain": "the worker is stopping"} if self._draining else {}
        return {**self._controls, **drain}

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Look at every control once and tell the sink."""
        # in turn: to wait for all at once takes a task for each, once a second, and one alone asks anybody
        self._controls = {name: await probe() for name, probe in self._probes.items()}
        self._tell_log()
        missing = self._missing({*self._apart, *self._partial})
        self._could_serve = self._could_serve or not (missing or self._draining)
        await self._tell()

    async def drain(self) -> None:
        """Turn red for good."""
        self._draining = True
        await self._tell()

    def _missing(self, excused: Collection[str]) -> bool:
        return any(trouble for name, trouble in self._controls.items() if name not in excused)

    def _tell_log(self) -> None:
        """Say what is not ready, and that all is, each time that changes: a container that is red shows its log."""
        words = "; ".join(f"{name}: {trouble}" for name, trouble in self._controls.items() if trouble)
        if words != self._logged:
            verdict = "ready" if self.ready else "not ready"
            _log.log(logging.WARNING if words else logging.INFO, "%s", f"{verdict}: {words}" if words else verdict)
            self._logged = words

    async def _tell(self) -> None:
        await self._sink.set_health(self.ready, self._could_serve and not self._draining)
