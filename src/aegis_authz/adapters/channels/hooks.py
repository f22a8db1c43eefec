"""Webhooks: of Microsoft Teams (Workflows), and of programs of one's own, whose requests are signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from aegis_authz.adapters.channels.http import Poster
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import Notice
from aegis_authz.notices import teams, webhook
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import ChannelFault

Value = TypeVar("Value")


class TeamsChannel:
    """`ports.Channel` for places such as `teams:payments`; each name has the URL of a Workflows webhook, a secret."""

    def __init__(self, urls: Mapping[str, str], public_url: str) -> None:
        self._urls = urls
        self._public_url = public_url
        self._poster = Poster()

    @property
    def tells_outcomes(self) -> bool:
        """A webhook cannot change its message, and a second one would be noise: the page says how the call stands."""
        return False

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Post the card."""
        return await self._post(notice, teams.message(approval, self._public_url))

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Post the card."""
        return await self._post(notice, teams.alert_message(alert, self._public_url))

    async def _post(self, notice: Notice, message: Mapping[str, Json]) -> str:
        url = _named(self._urls, notice)
        await self._poster.post(url, orjson.dumps(message), {"content-type": "application/json"})
        return ""

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a webhook is, and the key of its signatures."""

    url: str = field(repr=False)
    secret: bytes = field(repr=False)


class WebhookChannel:
    """`ports.Channel` for places such as `webhook:soc`."""

    def __init__(self, hooks: Mapping[str, Hook], public_url: str, clock: Clock) -> None:
        self._hooks = hooks
        self._public_url = public_url
        self._clock = clock
        self._poster = Poster()

    @property
    def tells_outcomes(self) -> bool:
        """A program wants to know how it ended."""
        return True

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Post it, signed. Two requests of one notice have one `x-aegis-notice`."""
        return await self._post(notice, webhook.body(notice.kind, approval, self._public_url))

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Post it, signed, in the same way."""
        return await self._post(notice, webhook.alert_body(alert, self._public_url))

    async def _post(self, notice: Notice, content: bytes) -> str:
        hook = _named(self._hooks, notice)
        notice_id = f"{notice.subject}.{notice.kind.value}"
        await self._poster.post(hook.url, content, webhook.signed(hook.secret, content, notice_id, self._clock.now()))
        return ""

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()


def _named(entries: Mapping[str, Value], notice: Notice) -> Value:
    if notice.address not in entries:
        raise ChannelFault(f"the settings have no {notice.place}", is_final=True)
    return entries[notice.address]
