"""What each OPA last said of itself: its active revision and its last trouble.

Reads the status API of OPA (plugins/status `UpdateRequestV1`, plugins/bundle `Status`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.release import BUNDLE_NAME
from aegis_authz.ports.data_plane import Clock

FORGET_AFTER = 120.0
"""Seconds without a report after which an OPA is taken to be gone; it reports at least once a poll."""

MAX_INSTANCES = 1024
_MAX_TEXT = 256
_MAX_TROUBLE = 600
_SURE_AFTER = 2  # one failed report may tell of a poll that ended while we published


@dataclass(frozen=True, slots=True)
class OpaState:
    """One OPA: `instance` is its label `instance`, else its id. `configuration` is the revision
    of the configuration it runs, "" for one that fetches none. `trouble` is "" when all is well.

    `heard_at` is in monotonic seconds; `troubled` counts all its reports with trouble.
    """

    instance: str
    version: str
    active_revision: str
    configuration: str
    trouble: str
    heard_at: float
    troubled: int


@dataclass(frozen=True, slots=True)
class Activation:
    """How far a revision has come: who runs it, who refused it and why, who has not said yet."""

    revision: str
    active_on: tuple[str, ...]
    refused: Mapping[str, str]
    waiting_for: tuple[str, ...]
    seconds: float


class StatusBoard:
    """Keeps the newest report of each OPA and lets a publisher wait for all of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[str, OpaState] = {}
        self._news = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether no OPA has reported lately."""
        return not self.states()

    def states(self) -> tuple[OpaState, ...]:
        """Every OPA heard of lately, by name."""
        oldest = self._clock.monotonic() - FORGET_AFTER
        self._states = {name: state for name, state in self._states.items() if state.heard_at >= oldest}
        return tuple(self._states[name] for name in sorted(self._states))

    def hear(self, report: Mapping[str, Json]) -> None:
        """Take a status report. Raises ValueError when it is not one."""
        labels = report.get("labels")
        if not isinstance(labels, Mapping):
            raise ValueError("the report has no labels")  # noqa: TRY004  # the caller's mistake, not ours
        instance = _short(labels.get("instance")) or _short(labels.get("id"))
        if not instance:
            raise ValueError("the report names no instance")
        bundles = report.get("bundles")
        bundle = bundles.get(BUNDLE_NAME) if isinstance(bundles, Mapping) else None
        status: Mapping[str, Json] = bundle if isinstance(bundle, Mapping) else {}
        discovery = report.get("discovery")
        states = {state.instance: state for state in self.states()}
        if instance not in states and len(states) >= MAX_INSTANCES:
            raise ValueError("too many instances report")
        trouble = _trouble(status)
        before = states[instance].troubled if instance in states else 0
        self._states[instance] = OpaState(
            instance=instance,
            version=_short(labels.get("version")),
            active_revision=_short(status.get("active_revision")),
            configuration=_short(discovery.get("active_revision")) if isinstance(discovery, Mapping) else "",
            trouble=trouble,
            heard_at=self._clock.monotonic(),
            troubled=before + 1 if trouble else before,
        )
        self._news.set()
        self._news = asyncio.Event()

    def news(self) -> asyncio.Event:
        """An event that is set at the next report."""
        return self._news

    async def activation(self, revision: str, wait: float) -> Activation:
        """Wait until every OPA has activated or refused the revision, at most `wait` seconds; then say how it stands.

        While no OPA is known, the first one is waited for.
        """
        began = self._clock.monotonic()
        troubled = {state.instance: state.troubled for state in self.states()}
        try:
            async with asyncio.timeout(wait):
                while not self._is_settled(revision, troubled):
                    await self._news.wait()
        except TimeoutError:
            return self._standing(revision, troubled, began)
        return self._standing(revision, troubled, began)

    async def configured(self, revision: str, wait: float) -> bool:
        """Whether every OPA, and there is one, runs this configuration; waits at most `wait` seconds for it."""

        def is_everywhere() -> bool:
            states = self.states()
            return bool(states) and all(state.configuration == revision for state in states)

        try:
            async with asyncio.timeout(wait):
                while not is_everywhere():
                    await self._news.wait()
        except TimeoutError:
            return is_everywhere()
        return True

    def _is_settled(self, revision: str, troubled: Mapping[str, int]) -> bool:
        standing = self._standing(revision, troubled, self._clock.monotonic())
        return not standing.waiting_for and not self.is_empty

    def _standing(self, revision: str, troubled: Mapping[str, int], began: float) -> Activation:
        active: list[str] = []
        waiting: list[str] = []
        refused: dict[str, str] = {}
        for state in self.states():
            since = state.troubled - troubled.get(state.instance, 0) if state.trouble else 0
            if state.active_revision == revision:
                active.append(state.instance)
            elif since >= _SURE_AFTER:
                refused[state.instance] = state.trouble
            else:
                waiting.append(state.instance)
        seconds = self._clock.monotonic() - began
        return Activation(revision, tuple(active), refused, tuple(waiting), seconds)


def _short(value: Json) -> str:
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _trouble(status: Mapping[str, Json]) -> str:
    if not status.get("code"):
        return ""
    parts = [status.get("message")]
    errors = status.get("errors")
    if isinstance(errors, list):
        parts += [error.get("message") if isinstance(error, Mapping) else error for error in errors[:3]]
    return ": ".join(part for part in parts if isinstance(part, str) and part)[:_MAX_TROUBLE] or "unknown error"
