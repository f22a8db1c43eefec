"""Clients of the OpenAI SDK whose calls go through the mesh; for whatever speaks its API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import openai

from aegis_agent.aegis import Aegis
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import AegisError, ApprovalNeeded
from aegis_agent.httpx2 import AsyncClient, Client
from aegis_agent.idempotency import HEADER, new_key

_SECONDS = 600.0
"""The SDK's own patience with a model."""


def openai_client(aegis: Aegis, **options: Any) -> openai.OpenAI:
    """An `openai.OpenAI` of an agent; takes its options, but `http_client`. Its calls raise AegisError."""
    http_client = Client(aegis, raises=False, timeout=_SECONDS, follow_redirects=True)
    return _OpenAI(http_client=http_client, **options)


def async_openai_client(aegis: Aegis, **options: Any) -> openai.AsyncOpenAI:
    """An `openai.AsyncOpenAI` of an agent, as `openai_client`."""
    http_client = AsyncClient(aegis, raises=False, timeout=_SECONDS, follow_redirects=True)
    return _AsyncOpenAI(http_client=http_client, **options)


class _OpenAI(openai.OpenAI):
    def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        _require_key(self, options)
        try:
            return super().request(cast_to, options, **more)
        except openai.APIError as fault:
            error = _error(fault, self._client, partial(self.request, cast_to, options, **more), False)
            if not isinstance(error, ApprovalNeeded):
                raise error from fault
        return self._client.aegis.answer(error)  # type: ignore[attr-defined]  # it is ours


class _AsyncOpenAI(openai.AsyncOpenAI):
    async def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        _require_key(self, options)
        try:
            return await super().request(cast_to, options, **more)
        except openai.APIError as fault:
            error = _error(fault, self._client, partial(self.request, cast_to, options, **more), True)
            if not isinstance(error, ApprovalNeeded):
                raise error from fault
        return await self._client.aegis.answer_async(error)  # type: ignore[attr-defined]  # it is ours


def _require_key(client: Any, options: Any) -> None:
    """All tries of a call have one key, and so has its repetition once it is approved."""
    client._idempotency_header = HEADER
    if options.idempotency_key is None:
        options.idempotency_key = new_key()


def _error(fault: openai.APIError, client: Any, repeat: Callable[[], Any], is_async: bool) -> Exception:
    """Ours for what the mesh refused or was not there for, else the SDK's own."""
    if isinstance(fault.__cause__, AegisError):
        return fault.__cause__  # the SDK takes whatever a client raises for a broken connection
    if not isinstance(fault, openai.APIStatusError) or not is_refusal(fault.response.headers):
        return fault
    response, aegis = fault.response, client.aegis
    error = refusal_error(response.status_code, response.headers, response.content, aegis.standing)
    if isinstance(error, ApprovalNeeded):
        error.repeat, error.is_async, error.request = repeat, is_async, fault.request
    return error
