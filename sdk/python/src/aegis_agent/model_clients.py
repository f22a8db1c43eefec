"""What the clients of SDKs for models have in common: those of OpenAI and Anthropic are generated from one pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from aegis_agent.aegis import Aegis
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import AegisError, ApprovalNeeded
from aegis_agent.httpx2 import AsyncClient, Client
from aegis_agent.idempotency import HEADER, new_key

_SECONDS = 600.0
"""The SDKs' own patience with a model."""


class ModelClient:
    """Stands before an SDK's own client. `faults` is whatever its calls raise, `refusals` those of them with a
    response."""

    faults: ClassVar[type[Exception]]
    refusals: ClassVar[type[Exception]]

    def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        """As of the SDK. Raises AegisError."""
        client: Any = self
        _require_key(client, options)
        try:
            return super().request(cast_to, options, **more)  # type: ignore[misc]  # the SDK's, which stands behind
        except self.faults as fault:
            error = _error(fault, self.refusals, client._client, partial(self.request, cast_to, options, **more), False)
            if not isinstance(error, ApprovalNeeded):
                raise error from fault
        return client._client.aegis.answer(error)


class AsyncModelClient:
    """As `ModelClient`, in asyncio."""

    faults: ClassVar[type[Exception]]
    refusals: ClassVar[type[Exception]]

    async def request(self, cast_to: Any, options: Any, **more: Any) -> Any:
        """As of the SDK. Raises AegisError."""
        client: Any = self
        _require_key(client, options)
        try:
            return await super().request(cast_to, options, **more)  # type: ignore[misc]  # as above
        except self.faults as fault:
            error = _error(fault, self.refusals, client._client, partial(self.request, cast_to, options, **more), True)
            if not isinstance(error, ApprovalNeeded):
                raise error from fault
        return await client._client.aegis.answer_async(error)


def http_client(aegis: Aegis) -> Client:
    """What such a client sends by."""
    return Client(aegis, raises=False, timeout=_SECONDS, follow_redirects=True)


def async_http_client(aegis: Aegis) -> AsyncClient:
    """As `http_client`, in asyncio."""
    return AsyncClient(aegis, raises=False, timeout=_SECONDS, follow_redirects=True)


def _require_key(client: Any, options: Any) -> None:
    """All tries of a call have one key, and so has its repetition once it is approved."""
    client._idempotency_header = HEADER
    if options.idempotency_key is None:
        options.idempotency_key = new_key()


def _error(
    fault: Exception, refusals: type[Exception], client: Any, repeat: Callable[[], Any], is_async: bool
) -> Exception:
    """Ours for what the mesh refused or was not there for, else the SDK's own."""
    if isinstance(fault.__cause__, AegisError):
        return fault.__cause__  # the SDK takes whatever a client raises for a broken connection
    status: Any = fault
    if not isinstance(fault, refusals) or not is_refusal(status.response.headers):
        return fault
    response = status.response
    error = refusal_error(response.status_code, response.headers, response.content, client.aegis.standing)
    if isinstance(error, ApprovalNeeded):
        error.repeat, error.is_async, error.request = repeat, is_async, status.request
    return error
