"""Presses of Slack's buttons over a socket that this side opens, where Slack cannot reach the control plane.

Source: docs.slack.dev, "Using Socket Mode": an app-level token (`connections:write`) opens it, each envelope is
acknowledged within three seconds by its id, and Slack says when a connection is to be made anew. Who may send is
proven by the token and TLS, in place of the signature of a request.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

_log = logging.getLogger(__name__)
_INTERACTIVE = "interactive"

Take = Callable[[dict[str, Any]], bool]
"""Takes one payload; False for one that is to be sent again, which is not acknowledged."""


class SlackSocket:
    """One connection to Slack, made anew whenever it ends. `api` is the URL of Slack's Web API."""

    def __init__(self, app_token: str, api: str, take: Take, ping_every: float = 5.0) -> None:
        """`ping_every` is how often, in seconds, the connection is tried; of four in vain it is made anew."""
        self._token = app_token
        self._api = f"{api.rstrip('/')}/"
        self._take = take
        self._ping_every = ping_every

    async def watch(self) -> None:
        """Take what Slack sends, until cancelled."""
        web = AsyncWebClient(base_url=self._api, trust_env_in_session=False, logger=_quiet())
        client = SocketModeClient(self._token, web_client=web, logger=_quiet(), ping_interval=self._ping_every)
        client.proxy = None  # the library reads one from the environment, which is not for strangers
        client.socket_mode_request_listeners.append(self._on_envelope)
        try:
            await client.connect()  # type: ignore[no-untyped-call]  # the library gives it no types
            await asyncio.Event().wait()
        finally:
            await client.close()  # type: ignore[no-untyped-call]  # the same

    async def _on_envelope(self, client: AsyncBaseSocketModeClient, envelope: SocketModeRequest) -> None:
        if envelope.type == _INTERACTIVE and not self._take(dict(envelope.payload)):
            return
        await client.send_socket_mode_response(SocketModeResponse(envelope.envelope_id))


class _Trouble(logging.Handler):
    """Tells that the library had trouble, and none of its words: they hold addresses that are as good as tokens."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the kind of fault alone."""
        fault = sys.exc_info()[1]
        words = str(fault.response.get("error")) if isinstance(fault, SlackApiError) else type(fault).__name__
        _log.warning("the socket to Slack has trouble: %s", words if fault is not None else record.funcName)


def _quiet() -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.library")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    if not logger.handlers:
        logger.addHandler(_Trouble())
    return logger
