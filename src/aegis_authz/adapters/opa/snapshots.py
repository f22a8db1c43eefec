"""The snapshots port: catalogue and trusted keys, read from the very OPA that judges."""

from __future__ import annotations

import asyncio
import logging

import orjson

from aegis_authz.adapters.opa.answers import Answers
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import Monotonic, Revision
from aegis_authz.policy.bundle.snapshot import snapshot_from_data

_log = logging.getLogger(__name__)
_REVISION_PATH = "/v1/data/aegis/revision"
_SNAPSHOT_PATH = "/v1/data/aegis/snapshot"
_LOOK_TIME = 1.0

FOLLOW_EVERY = 2.0
"""Seconds between two looks for a newer revision;
a call that meets one loads it and does not wait for the next look.
"""


class OpaSnapshots:
    """`ports.Snapshots` over OPA.

    A watcher looks for a new revision every `interval` seconds, so that rotated keys and new tools
    are known also when no call asks; a call that meets a newer revision loads it at once. `answers` are those that
    calls are judged by, None where none are remembered: with a newer revision they are forgotten.
    """

    def __init__(self, http: OpaHttp, interval: float = FOLLOW_EVERY, answers: Answers | None = None) -> None:
        self._http = http
        self._answers = answers
        self._interval = interval
        self._current: Snapshot | None = None
        self._trouble = "no bundle has been loaded yet"
        self._loading = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """Why this port is not ready, "" when it is."""
        return self._trouble

    def current(self) -> Snapshot:
        """The newest snapshot. Raises Refused(NOT_READY) before the first."""
        if self._current is None:
            raise Refused(Reason.NOT_READY, self._trouble)
        return self._current

    async def at(self, revision: Revision, deadline: Monotonic) -> Snapshot:
        """The snapshot of `revision`. Raises Refused as `ports.Snapshots` says."""
        try:
            async with asyncio.timeout_at(deadline):
                snapshot = await self._load(revision)
        except TimeoutError:
            raise Refused(Reason.PDP_TIMEOUT, "the snapshot did not load in time") from None
        if snapshot.revision != revision:
            raise Refused(Reason.REVISION_CHANGED, "the PDP has moved on")
        return snapshot

    async def watch(self) -> None:
        """Follow OPA until cancelled; trouble is kept for readiness, the last good snapshot stays."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Ask OPA once which revision it serves and load it when it is new."""
        try:
            async with asyncio.timeout(_LOOK_TIME):
                revision = await self._get(_REVISION_PATH)
                if not isinstance(revision, str):
                    raise Refused(Reason.PDP_UNAVAILABLE, "OPA has no active bundle")
                if self._current is None or self._current.revision != revision:
                    await self._load(Revision(revision))
            trouble = ""
        except TimeoutError:
            trouble = "OPA does not answer"
        except Refused as refusal:
            trouble = refusal.detail
        if trouble != self._trouble:
            _log.log(logging.WARNING if trouble else logging.INFO, "snapshot: %s", trouble or "loaded")
            self._trouble = trouble

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _load(self, revision: Revision) -> Snapshot:
        async with self._loading:  # concurrent calls that meet a new revision load it once
            if self._current is not None and self._current.revision == revision:
                return self._current
            data = await self._get(_SNAPSHOT_PATH)
            try:
                self._current = snapshot_from_data(data)
            except ValueError as fault:
                raise Refused(Reason.PDP_UNAVAILABLE, f"the snapshot is not readable: {fault}") from None
            if self._answers is not None:
                self._answers.follow(self._current.revision)
            return self._current

    async def _get(self, path: str) -> Json:
        try:
            status, body = await self._http.get(path)
            document = orjson.loads(body)
        except OpaUnreachable as fault:
            raise Refused(Reason.PDP_UNAVAILABLE, str(fault)) from None
        except orjson.JSONDecodeError:
            raise Refused(Reason.PDP_UNAVAILABLE, "OPA's answer is not JSON") from None
        if status != 200 or not isinstance(document, dict):
            raise Refused(Reason.PDP_UNAVAILABLE, f"OPA answered {status}")
        result: Json = document.get("result")
        return result
