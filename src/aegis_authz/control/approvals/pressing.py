"""Presses of Slack's buttons: answered at once, decided one after the other, and each told what came of it."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.statement import statement_digest
from aegis_authz.control.approvals.deciding_on_record import Deciding, Verb, Verdict
from aegis_authz.core.approval import ApprovalConflict, ApprovalForbidden, ApprovalNotFound
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import ChannelKind
from aegis_authz.core.person import Domain, Person
from aegis_authz.notices.slack import NotFromSlack, Press, press_in, press_of, require_signature
from aegis_authz.notices.words import outcome
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.key_rings import KeyServiceDown
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.ports.people import PersonUnknown

_log = logging.getLogger(__name__)
_PATIENCE = 10.0
_MOST_WAITING = 100
_TROUBLE = "The control plane cannot decide this now; try again in a moment."


class TooManyPresses(Exception):
    """More presses wait to be decided than one process keeps."""


class Replies(Protocol):
    """What tells whoever pressed a button."""

    async def reply(self, response_url: str, text: str) -> None:
        """Tell that person alone. Raises ChannelFault."""
        ...


class SlackPresses:
    """Takes what Slack sends, and decides in the name of the person whose Slack user pressed.

    `person_of` tells who that is by the user's id at Slack; it raises PersonUnknown, DatabaseFault.

    Slack wants an answer within three seconds, so a press is taken first and decided after: one that is lost in between
    has decided nothing, and the buttons are there still.
    """

    def __init__(
        self,
        signing_secret: bytes | None,
        approver: Approver,
        person_of: Callable[[str], Awaitable[Person]],
        replies: Replies,
        deciding: Deciding,
        clock: Clock,
    ) -> None:
        self._secret = signing_secret
        self._approver = approver
        self._person_of = person_of
        self._replies = replies
        self._deciding = deciding
        self._clock = clock
        self._queue: asyncio.Queue[Press] = asyncio.Queue(_MOST_WAITING)

    def take(self, timestamp: str, signature: str, body: bytes) -> None:
        """Take one request of Slack, by its raw body. Raises NotFromSlack, TooManyPresses."""
        if self._secret is None:  # an empty one would sign whatever anybody sends
            raise NotFromSlack("nothing is signed here: presses come by Socket Mode")
        require_signature(self._secret, timestamp, signature, body, self._clock.now())
        self._put(press_of(body))

    def take_payload(self, payload: Mapping[str, Json]) -> bool:
        """Take the payload of an envelope of Socket Mode; returns whether it is not to be sent again."""
        try:
            self._put(press_in(payload))
        except TooManyPresses:
            return False
        except NotFromSlack as fault:
            _log.warning("an envelope of Slack is passed over: %s", fault)
        return True

    def _put(self, press: Press | None) -> None:
        if press is None:
            return
        try:
            self._queue.put_nowait(press)
        except asyncio.QueueFull:
            raise TooManyPresses("too many presses of buttons wait to be decided") from None

    async def watch(self) -> None:
        """Decide what was pressed, until cancelled."""
        async with asyncio.TaskGroup() as answers:  # nobody's decision waits for the answer to another
            while True:
                press = await self._queue.get()
                answers.create_task(self._answer(press, await self._decided(press)))

    async def _answer(self, press: Press, text: str) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._replies.reply(press.response_url, text)
        except (ChannelFault, TimeoutError) as fault:
            why = str(fault) or f"no answer within {_PATIENCE} seconds"
            _log.warning("%s pressed a button and was not told what came of it: %s", press.user, why)

    async def _decided(self, press: Press) -> str:
        """What came of a press, in a sentence for who pressed."""
        try:
            return await self._decide(press, await self._person_of(press.user))
        except (ApprovalConflict, ApprovalForbidden) as refusal:
            return str(refusal)
        except ApprovalNotFound:
            return "There is no such approval any more."
        except PersonUnknown:
            _log.warning("the Slack user %r pressed a button and is nobody here", press.user)
            return f"The Slack user {press.user} is linked to no person of the control plane, and decides nothing."
        except (StoreDown, DatabaseFault, KeyServiceDown) as fault:
            _log.error("a press of %r could not be decided: %s", press.user, fault)
            return _TROUBLE

    async def _decide(self, press: Press, person: Person) -> str:
        approval = await self._approver.get(press.approval_id)
        request = approval.request
        if not may(person, Permission.DECIDE_APPROVALS, Domain.of(request.scope)):
            raise ApprovalForbidden(f"{person.id} may not decide approvals of {request.scope.tenant_path}")
        if not hmac.compare_digest(statement_digest(request).encode(), press.statement.encode("utf-8", "replace")):
            raise ApprovalConflict("the call is another than the message shows; decide on its page")
        verdict = Verdict(Verb.APPROVE if press.approves else Verb.DENY, press.reason, {}, ChannelKind.SLACK.value)
        after, _ = await self._deciding.decide(person, request, verdict)
        return outcome(after)
