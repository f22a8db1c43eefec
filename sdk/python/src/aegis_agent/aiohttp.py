"""A session of aiohttp whose calls go through the mesh, each with a proof of its own, redirects and retries included.

The connector signs, for it sees what leaves after all that sessions and middlewares add; a middleware reads refusals.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
from yarl import URL

from aegis_agent.aegis import Aegis
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import AegisUnavailable, ApprovalNeeded
from aegis_agent.idempotency import require_key
from aegis_agent.key import target_uri

_OURS = ("connector", "connector_owner", "proxy", "proxy_auth", "proxy_headers", "ssl", "trust_env")
_FAULTS = (aiohttp.ClientConnectionError, TimeoutError)


class _Connector(aiohttp.TCPConnector):
    def __init__(self, aegis: Aegis) -> None:
        super().__init__(ssl=aegis.tls or True)
        self._aegis = aegis

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109  # of aiohttp
        """Sign the request, and open a connection into the mesh. Raises AegisError."""
        url = target_uri(str(req.url))
        req.url = URL(url, encoded=True)  # what is signed is what is sent, to the letter
        proxy = self._aegis.proxy_for(url)
        if req.ssl is not True or req.compress:
            raise TypeError("ssl and compress are no options here: what is signed is what the mesh is to see")
        req.update_proxy(None if proxy is None else URL(proxy), None, None)
        body = req.body if isinstance(req.body, bytes) else await req.body.as_bytes()
        req.headers.update(await self._aegis.headers_async(req.method, url, body))
        try:
            return await super().connect(req, traces, timeout)
        except _FAULTS as fault:
            where, why = url.partition("?")[0], fault or type(fault).__name__
            raise AegisUnavailable(f"the mesh does not answer for {where}: {why}") from fault


with warnings.catch_warnings():  # of inheritance, whose other ways see neither hops nor what repeats a held call
    warnings.simplefilter("ignore", DeprecationWarning)

    class ClientSession(aiohttp.ClientSession):
        """An `aiohttp.ClientSession` of an agent. Takes its options, but those that say where requests go."""

        def __init__(self, aegis: Aegis, *, raises: bool = True, **options: Any) -> None:
            """With `raises` off a refusal is a response: 403 and the like, a problem document in it."""
            _require_none_of_ours(options)
            self._aegis = aegis
            self._own = (partial(_raise_refusal, aegis),) if raises else ()
            self._given: Sequence[Any] = options.pop("middlewares", ())
            super().__init__(connector=_Connector(aegis), trust_env=False, **options)

        async def _request(self, method: str, str_or_url: Any, **options: Any) -> aiohttp.ClientResponse:
            """As of aiohttp. Raises AegisError, and TypeError for a body that comes piece by piece."""
            _require_none_of_ours(options)
            if hasattr(options.get("data"), "__aiter__"):
                raise TypeError("give the body as a whole: the proof is over all of it")
            headers = self._prepare_headers(options.pop("headers", None))
            require_key(method, headers)
            given = options.pop("middlewares", None)
            middlewares = (*(self._given if given is None else given), *self._own)
            try:
                return await super()._request(method, str_or_url, headers=headers, middlewares=middlewares, **options)
            except ApprovalNeeded as error:
                error.is_async = True
                error.repeat = partial(self._request, method, str_or_url, headers=headers, middlewares=given, **options)
                held = error
            answer: aiohttp.ClientResponse = await self._aegis.answer_async(held)
            return answer


async def _raise_refusal(aegis: Aegis, request: Any, handler: Callable[[Any], Any]) -> aiohttp.ClientResponse:
    """A middleware, the innermost: others see a refusal as what it is."""
    response: aiohttp.ClientResponse = await handler(request)
    if not is_refusal(response.headers):
        return response
    content = await response.read()
    names = {name.lower(): value for name, value in response.headers.items()}
    raise refusal_error(response.status, names, content, aegis.standing)


def _require_none_of_ours(options: Any) -> None:
    for name in _OURS:
        if name in options:
            raise TypeError(f"{name} is not an option here: requests go into the mesh, and Aegis says how")


__all__ = ["ClientSession"]
