"""Notices brought to people, tried again until they arrive or are of no use: of held calls, which are entered here,
and of refusals, which `control.alerting` enters.

Nothing here is on the path of a decision: what cannot be delivered is told in the log and by `aegis
approvals undelivered`, and nobody waits for it. A notice is claimed before it is sent and completed after; a crash in
between sends that one message again, and a channel has one message under way at a time. A place that keeps a channel
waiting is left alone for a while, so that the other places of the channel have their turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aegis_authz.core.approval import MAX_APPROVAL_LIFE, Approval, ApprovalNotFound, ApprovalState
from aegis_authz.core.notice import LOG_PLACE, ChannelHealth, Notice, NoticeKind, NoticeState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.notices.pause import LOOK_EVERY, pause_until
from aegis_authz.ports.commits import Commits
from aegis_authz.ports.data_plane import Approvals, Clock, StoreDown
from aegis_authz.ports.notices import Alerts, Channel, ChannelFault, Outbox

_log = logging.getLogger(__name__)
_CLAIM = 20.0
"""Seconds for which a notice belongs to who claimed it; a message takes `_PATIENCE` at most."""
_PATIENCE = 10.0
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 60.0
"""Seconds until a second attempt, doubled each time."""
_SLOW = 0.5
"""Seconds after which a fault has kept the other places of a channel waiting."""
_MOST_ATTEMPTS = 12
"""Of a notice about what is settled; one about a held call is tried until nobody can decide it any more."""
_ALERT_PATIENCE = 86_400.0
"""Seconds for which a notice of refusals is tried, from when it was due and somebody looked."""
_ALERT_LIFE = 2 * 86_400.0
"""Seconds after the last refusal after which nobody is told of it: the longest time one gathers, and a day."""
_MOST = 200


class NoticeCount(Protocol):
    """Counts what became of notices."""

    def __call__(self, channel: str, outcome: str) -> None:
        """`outcome` is delivered, postponed or undelivered."""
        ...


@dataclass(frozen=True, slots=True)
class Courier:
    """Enters notices and delivers them. `stands` gives an approval as it stands, with the faults of `Approvals.get`."""

    outbox: Outbox
    approvals: Approvals
    stands: Callable[[ApprovalId], Awaitable[Approval]]
    alerts: Alerts
    channels: Mapping[str, Channel]
    clock: Clock
    count: NoticeCount
    rests: dict[str, Epoch] = field(default_factory=dict)
    """Until when a place is left alone; places are those that policies name."""
    entered: set[ApprovalId] = field(default_factory=set)
    """Those whose notices are entered: what is held is read once, and after a restart once more."""
    failing: dict[str, ChannelHealth] = field(default_factory=dict)
    """The channels that failed since a message of theirs last arrived, by their kinds."""

    async def watch(self, commits: Commits) -> None:
        """Look and deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self.channels.keys() - {LOG_PLACE}:  # else nobody is told of held calls
                group.create_task(self._look_each_second(commits))
            for name in self.channels:
                group.create_task(self._deliver_when_due(name, commits))

    async def look(self) -> None:
        """Enter the notices of calls that are held or settled since the last look. Raises StoreDown."""
        await self._look_at_held()
        await self._look_at_settled()

    async def _look_at_held(self) -> None:
        now = self.clock.now()
        names = await self._open_names(now)
        for name in names:
            if name not in self.entered and await self._enter_all(name, now):
                self.entered.add(name)
        self.entered.intersection_update(names)

    async def _look_at_settled(self) -> bool:
        """Enter what is settled; returns whether there is any that may be settled later."""
        now = self.clock.now()
        unsettled: dict[ApprovalId, list[Notice]] = {}
        for notice in await self.outbox.unsettled():
            unsettled.setdefault(ApprovalId(notice.subject), []).append(notice)
        for approval_id, notices in unsettled.items():
            if await self._is_settled(approval_id):
                for notice in notices:
                    await self.outbox.enter(approval_id, notice.place, NoticeKind.SETTLED, now)
        return bool(unsettled)

    def health(self) -> list[ChannelHealth]:
        """How each channel does that there is."""
        return [self.failing.get(kind, ChannelHealth(kind, 0, "")) for kind in sorted(self.channels)]

    async def _open_names(self, now: Epoch) -> list[ApprovalId]:
        """Those whose time is not over, by their names alone."""
        names: dict[ApprovalId, None] = {}
        since, end = now, Epoch(now + MAX_APPROVAL_LIFE + 1)
        while since < end:
            some, since = await self.approvals.ending(since, end, _MOST)
            known = len(names)
            names.update(dict.fromkeys(some))
            if len(names) == known and since < end:
                since = Epoch(since + 0.001)  # more of them end in one millisecond than are read at once
        return list(names)

    async def _enter_all(self, approval_id: ApprovalId, now: Epoch) -> bool:
        """Enter what is to be told of it; returns whether it could be read."""
        try:
            approval = await self.approvals.get(approval_id)
        except ApprovalNotFound:
            return True
        except StoreDown as fault:  # what cannot be read of one keeps nobody from learning of the others
            _log.warning("%s", fault)
            return False
        if approval.state is ApprovalState.PENDING:
            for place in approval.request.notify:
                await self._enter(approval_id, place, now)
        return True

    async def _enter(self, approval_id: ApprovalId, place: str, now: Epoch) -> None:
        is_new = await self.outbox.enter(approval_id, place, NoticeKind.HELD, now)
        notice = Notice(approval_id, place, NoticeKind.HELD, NoticeState.WAITING, 0, "", "")
        if is_new and notice.channel not in self.channels:
            await self._abandon(notice, f"the settings have no channel {notice.channel}")

    async def empty(self, channel: str) -> None:
        """Deliver what is due on that channel, one after the other. Raises StoreDown."""
        while True:
            now = self.clock.now()
            notice = await self.outbox.claim(channel, now, Epoch(now + _CLAIM))
            if notice is None:
                return
            await self._deliver(notice)

    async def _deliver(self, notice: Notice) -> None:
        channel = self.channels[notice.channel]
        if notice.kind is NoticeKind.ALERT:
            await self._deliver_alert(notice, channel)
            return
        try:
            approval = await self.stands(ApprovalId(notice.subject))
        except ApprovalNotFound:
            await self._abandon(notice, "the approval is forgotten")
            return
        if notice.kind is NoticeKind.SETTLED and not channel.tells_outcomes:
            await self.outbox.complete(notice, notice.receipt, self.clock.now())
            return
        if notice.kind is NoticeKind.HELD and approval.state is not ApprovalState.PENDING:
            why = notice.trouble or "there was no time"
            await self._abandon(notice, f"it is {approval.state.value} by now: {why}")
            return
        await self._attempt(notice, lambda: channel.deliver(notice, approval))

    async def _deliver_alert(self, notice: Notice, channel: Channel) -> None:
        now = self.clock.now()
        alert = await self.alerts.close(notice.subject, now)
        if alert is None:
            await self._abandon(notice, "the alert is forgotten")
        elif now - alert.last > _ALERT_LIFE:
            await self._abandon(notice, f"it is more than two days old: {notice.trouble or 'there was no time'}")
        elif alert.closed is not None and now - alert.closed > _ALERT_PATIENCE:
            await self._abandon(notice, f"it was tried for a day: {notice.trouble or 'there was no time'}")
        else:
            await self._attempt(notice, lambda: channel.deliver_alert(notice, alert))

    async def _attempt(self, notice: Notice, delivery: Callable[[], Awaitable[str]]) -> None:
        """Deliver it unless its place rests; what fails is tried again."""
        rest = self.rests.get(notice.place)
        if rest is not None and rest > self.clock.now():
            await self.outbox.postpone(notice, notice.trouble or "its place gave no answer to others", rest)
            return
        begun = self.clock.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                receipt = await delivery()
        except (ChannelFault, TimeoutError) as fault:
            await self._retry(notice, fault, is_slow=self.clock.monotonic() - begun >= _SLOW)
            return
        self.rests.pop(notice.place, None)
        await self.outbox.complete(notice, receipt, self.clock.now())
        self.failing.pop(notice.channel, None)
        self.count(notice.channel, "delivered")

    async def _retry(self, notice: Notice, fault: ChannelFault | TimeoutError, *, is_slow: bool) -> None:
        trouble = str(fault) or "no answer in time"
        failures = self.failing[notice.channel].failures if notice.channel in self.failing else 0
        self.failing[notice.channel] = ChannelHealth(notice.channel, failures + 1, trouble)
        is_final = isinstance(fault, ChannelFault) and fault.is_final
        if is_final or (notice.kind is NoticeKind.SETTLED and notice.attempts >= _MOST_ATTEMPTS):
            await self._abandon(notice, trouble)
            return
        pause = min(_FIRST_PAUSE * 2 ** min(notice.attempts - 1, 10), _LAST_PAUSE)
        if isinstance(fault, ChannelFault):
            pause = max(pause, min(fault.wait, _LAST_PAUSE))
        _log.warning("%s of %s is not delivered yet: %s", notice.place, notice.subject, trouble)
        until = Epoch(self.clock.now() + pause)
        if is_slow:
            self.rests[notice.place] = until
        await self.outbox.postpone(notice, trouble, until)
        self.count(notice.channel, "postponed")

    async def _abandon(self, notice: Notice, trouble: str) -> None:
        _log.error("%s was not told of %s: %s", notice.place, notice.subject, trouble)
        await self.outbox.abandon(notice, trouble, self.clock.now())
        self.count(notice.channel, "undelivered")

    async def _is_settled(self, approval_id: ApprovalId) -> bool:
        try:
            return (await self.stands(approval_id)).state is not ApprovalState.PENDING
        except ApprovalNotFound:
            return True

    async def _look_each_second(self, commits: Commits) -> None:
        read: int | None = None
        is_any_open = True
        while True:
            number = commits.number
            try:
                await self._look_at_held()
                if is_any_open or number != read:  # that a notice was delivered, and may be settled later, is committed
                    is_any_open = await self._look_at_settled()
                    read = number
            except StoreDown as fault:
                _log.warning("what is held: %s", fault)
            await commits.after(number, LOOK_EVERY)

    async def _deliver_when_due(self, channel: str, commits: Commits) -> None:
        while True:
            number, pause = commits.number, LOOK_EVERY
            try:
                await self.empty(channel)
                pause = pause_until(await self.outbox.next_due(channel), self.clock.now())
            except StoreDown as fault:
                _log.warning("notices of %s: %s", channel, fault)
            await commits.after(number, pause)
