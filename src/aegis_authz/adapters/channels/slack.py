"""Slack over its Web API: chat.postMessage, chat.update, and answers to who pressed a button.

Source: docs.slack.dev, "chat.postMessage", "chat.update", "Handling user interaction" (response_url).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson

from aegis_authz.adapters.channels.http import Poster
from aegis_authz.core.address import is_private_url
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import Notice, NoticeKind
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.notices.slack import alert_message, message
from aegis_authz.ports.notices import ChannelFault

API = "https://slack.com/api"
_RESPONSES = ("hooks.slack.com",)
_PASSING = frozenset(("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
                      "request_timeout", "team_added_to_org"))  # fmt: skip


class SlackChannel:
    """`ports.Channel` for places such as `slack:#finance` or `slack:C024BE91L`.

    `response_hosts` are those where Slack takes answers to who pressed a button.
    """

    def __init__(
        self, bot_token: str, public_url: str, api: str = API, response_hosts: tuple[str, ...] = _RESPONSES
    ) -> None:
        self._authorization = f"Bearer {bot_token}"
        self._public_url = public_url
        self._api = api.rstrip("/")
        self._response_hosts = response_hosts
        self._poster = Poster()

    @property
    def tells_outcomes(self) -> bool:
        """A message is changed once the call is decided, wherever that was."""
        return True

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        """Post the message, or change the one that was posted; returns its channel and time."""
        content = message(approval, self._public_url)
        if notice.kind is NoticeKind.HELD:
            return await self._post(notice, content)
        channel, _, ts = notice.receipt.partition(" ")
        if ts:  # else nobody was told
            await self._call("chat.update", {"channel": channel, "ts": ts, **content})
        return notice.receipt

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        """Post the message; returns its channel and time."""
        return await self._post(notice, alert_message(alert, self._public_url))

    async def _post(self, notice: Notice, content: Mapping[str, Json]) -> str:
        answer = await self._call(
            "chat.postMessage", {"channel": notice.address, "unfurl_links": False, "unfurl_media": False, **content}
        )
        return f"{_text(answer, 'channel')} {_text(answer, 'ts')}"

    async def reply(self, response_url: str, text: str) -> None:
        """Tell whoever pressed a button, and nobody else. Raises ChannelFault."""
        if not self._is_for_answers(response_url):
            raise ChannelFault("the address for answers is not Slack's", is_final=True)
        content: dict[str, Json] = {"response_type": "ephemeral", "replace_original": False, "text": text}
        await self._poster.post(response_url, orjson.dumps(content), {"content-type": "application/json"})

    def _is_for_answers(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return is_private_url(parts.scheme, parts.hostname or "") and parts.netloc in self._response_hosts

    async def close(self) -> None:
        """Close the connections."""
        await self._poster.close()

    async def _call(self, method: str, content: Mapping[str, Json]) -> dict[str, Json]:
        headers = {"content-type": "application/json; charset=utf-8", "authorization": self._authorization}
        raw = await self._poster.post(f"{self._api}/{method}", orjson.dumps(content), headers)
        try:
            answer = strict_json.parse_object(raw)
        except Refused:
            raise ChannelFault(f"{method} answered something else than Slack does", is_final=False) from None
        if answer.get("ok") is not True:
            error = str(answer.get("error"))[:60]
            raise ChannelFault(f"{method} answered {error}", is_final=error not in _PASSING)
        return answer


def _text(answer: Mapping[str, Json], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value or " " in value:
        raise ChannelFault("chat.postMessage answered without channel and ts", is_final=True)
    return value
