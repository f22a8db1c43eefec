"""Callbacks of access requests (OpenID AuthZEN Access Request and Approval Profile 1.0, draft 1, Callback Completion).

A callback tells that a task is settled and grants nothing: it holds no result, and whoever gets it asks for the task.
It is posted to addresses of the settings alone, each for the people that the settings name beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from aegis_authz.api.access_requests import CallbackPart, TaskStatus
from aegis_authz.control.approvals.tasks import approval_names, task_status, task_url
from aegis_authz.control.gate import Caller
from aegis_authz.control.http import HttpProblem
from aegis_authz.core.approval import Approval, ApprovalNotFound
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import ChannelHealth
from aegis_authz.core.person import Domain
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.notices.pause import LOOK_EVERY, pause_until
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.callbacks import Callbacks, CallbackSender
from aegis_authz.ports.commits import LONGEST, Commits
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.ports.people import PeopleStore, PersonUnknown

_log = logging.getLogger(__name__)
ENDINGS = frozenset(status.value for status in TaskStatus if status is not TaskStatus.PENDING)
"""How a task can end here; the draft's `failed` is none, for nothing is carried out by a task."""
CHANNEL = "callback"
"""As the figures of notices call it."""
_CLAIM, _PATIENCE = 20.0, 10.0
"""Seconds for which a callback belongs to who claimed it, and that a request takes at most."""
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 300.0
"""Seconds until a second attempt, doubled each time."""
_MOST_ATTEMPTS = 24
"""Over an hour: whoever is away for longer asks for its tasks."""


@dataclass(frozen=True, slots=True)
class CallbackServices:
    """Where callbacks are kept, what posts them, and who may name which endpoint: ids of people by URL."""

    store: Callbacks
    sender: CallbackSender
    places: Mapping[str, frozenset[str]]


class CallbackDesk:
    """Takes the callbacks that submissions name. Without services nobody may name one."""

    def __init__(self, services: CallbackServices | None) -> None:
        self._services = services

    def require(self, caller: Caller, part: CallbackPart | None) -> None:
        """Refuse an endpoint that the settings do not name for who asks. Raises HttpProblem."""
        if part is None:
            return
        places = {} if self._services is None else self._services.places
        if caller.person.id not in places.get(part.endpoint, ()):
            # which endpoints there are for others is nobody's business
            raise HttpProblem(400, "callback.endpoint: is none that the settings of this control plane name for you")

    async def enter(self, caller: Caller, part: CallbackPart | None, task_id: str) -> None:
        """Keep what is wanted of a task that is not settled. Raises DatabaseFault."""
        if part is None or self._services is None:
            return
        events = ENDINGS if part.events is None else ENDINGS & set(part.events)
        if not events:
            return
        wanted = Callback(task_id, part.endpoint, caller.person.id, part.state, events, CallbackState.WATCHING, 0, "")
        await self._services.store.enter(wanted)


class CallbackCount(Protocol):
    """Counts what became of callbacks, as of notices."""

    def __call__(self, channel: str, outcome: str) -> None:
        """`outcome` is delivered, postponed or undelivered."""
        ...


@dataclass(frozen=True, slots=True)
class CallbackCourier:
    """Sees which tasks are settled, and posts that. `stands` gives an approval as it stands, `base` leads here.

    A callback is claimed before it is posted and completed after: a crash in between posts that one again. Endpoints
    have nothing to do with each other: one that keeps its callbacks waiting delays no other.
    """

    services: CallbackServices
    stands: Callable[[ApprovalId], Awaitable[Approval]]
    people: PeopleStore
    clock: Clock
    count: CallbackCount
    base: str
    failing: dict[str, str] = field(default_factory=dict)
    """Why the last callback to an endpoint failed, until one arrives."""

    async def watch(self, commits: Commits) -> None:
        """Look and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self.look, "what is settled", commits))
            for endpoint in self.services.places:
                group.create_task(self._repeat(partial(self._deliver_due, endpoint), "callbacks", commits))

    async def look(self) -> Seconds:
        """Have those due whose tasks are settled since the last look; after how many seconds to look again.

        Raises StoreDown, DatabaseFault.
        """
        now = self.clock.now()
        watching = await self.services.store.watching()
        for callback in watching:
            if callback.person not in self.services.places.get(callback.endpoint, ()):
                await self._abandon(callback, "the settings name that endpoint for that person no more")
                continue
            try:
                status = task_status(await self._approvals(callback))
            except ApprovalNotFound:
                await self._abandon(callback, "the approval is forgotten")
                continue
            except StoreDown as fault:  # what cannot be read of one keeps nobody from learning of the others
                _log.warning("%s", fault)
                continue
            if status is TaskStatus.PENDING:
                continue
            if status.value in callback.events:
                await self.services.store.settle(callback, now)
            else:
                await self.services.store.dismiss(callback, now)
        return LOOK_EVERY if watching else LONGEST  # that somebody wants one is committed

    async def empty(self, endpoint: str) -> None:
        """Post what is due there, one after the other. Raises StoreDown, DatabaseFault."""
        while True:
            now = self.clock.now()
            callback = await self.services.store.claim(endpoint, now, Epoch(now + _CLAIM))
            if callback is None:
                return
            await self._deliver(callback)

    async def _deliver_due(self, endpoint: str) -> Seconds:
        await self.empty(endpoint)
        return pause_until(await self.services.store.next_due(endpoint), self.clock.now())

    def health(self) -> ChannelHealth:
        """How many endpoints fail, and why the last callback to each did."""
        trouble = "; ".join(f"{endpoint}: {why}" for endpoint, why in sorted(self.failing.items()))
        return ChannelHealth(CHANNEL, len(self.failing), trouble)

    async def _approvals(self, callback: Callback) -> list[Approval]:
        return [await self.stands(ApprovalId(name)) for name in approval_names(callback.task_id)]

    async def _deliver(self, callback: Callback) -> None:
        try:
            approvals = await self._approvals(callback)
        except ApprovalNotFound:
            await self._abandon(callback, "the approval is forgotten")
            return
        if not await self._may_see(callback.person, approvals):
            await self._abandon(callback, f"{callback.person} may not see it any more")
            return
        status = task_status(approvals)
        if status.value not in callback.events:  # it was approved, and was taken back before this was posted
            await self.services.store.dismiss(callback, self.clock.now())
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.services.sender.send(callback, callback_body(callback, status, self.base))
        except (ChannelFault, TimeoutError) as fault:
            await self._retry(callback, fault)
            return
        await self.services.store.complete(callback, self.clock.now())
        self.failing.pop(callback.endpoint, None)
        self.count(CHANNEL, "delivered")

    async def _may_see(self, person_id: str, approvals: list[Approval]) -> bool:
        """Whether who submitted it would be told of it if they asked now."""
        try:
            account = await self.people.account(person_id)
        except PersonUnknown:
            return False
        domains = [Domain.of(approval.request.scope) for approval in approvals]
        permission = Permission.READ_APPROVALS
        return not account.is_disabled and all(may(account.person, permission, domain) for domain in domains)

    async def _retry(self, callback: Callback, fault: ChannelFault | TimeoutError) -> None:
        trouble = str(fault) or "no answer in time"
        self.failing[callback.endpoint] = trouble
        is_final = isinstance(fault, ChannelFault) and fault.is_final
        if is_final or callback.attempts >= _MOST_ATTEMPTS:
            await self._abandon(callback, trouble)
            return
        pause = min(_FIRST_PAUSE * 2 ** min(callback.attempts - 1, 10), _LAST_PAUSE)
        if isinstance(fault, ChannelFault):
            pause = max(pause, min(fault.wait, _LAST_PAUSE))
        _log.warning("the callback of %s to %s is not delivered yet: %s", callback.task_id, callback.endpoint, trouble)
        await self.services.store.postpone(callback, trouble, Epoch(self.clock.now() + pause))
        self.count(CHANNEL, "postponed")

    async def _abandon(self, callback: Callback, trouble: str) -> None:
        _log.error("%s was not told of %s: %s", callback.endpoint, callback.task_id, trouble)
        await self.services.store.abandon(callback, trouble, self.clock.now())
        self.count(CHANNEL, "undelivered")

    async def _repeat(self, step: Callable[[], Awaitable[Seconds]], label: str, commits: Commits) -> None:
        """Do it again after so many seconds as it says, or once something is committed."""
        while True:
            number, pause = commits.number, LOOK_EVERY
            try:
                pause = await step()
            except (StoreDown, DatabaseFault) as fault:
                _log.warning("%s: %s", label, fault)
            await commits.after(number, pause)


def callback_body(callback: Callback, status: TaskStatus, base: str) -> bytes:
    """What is posted: how the task ended, and what was wanted back with it."""
    url = task_url(base, callback.task_id)
    content: dict[str, Json] = {
        "task": {"id": callback.task_id, "status": status.value, "status_endpoint": url},
        **({} if callback.echo is None else {"state": callback.echo}),
    }
    return json.dumps(content, ensure_ascii=True, sort_keys=True).encode("ascii")
