"""Sessions of requests whose calls go through the mesh, each with a proof of its own, redirects included."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from aegis_agent.aegis import Aegis
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import AegisUnavailable, ApprovalNeeded
from aegis_agent.idempotency import require_key


class Adapter(HTTPAdapter):
    """Signs each request and leads it into the mesh. It repeats none by itself: a proof is good once."""

    def __init__(self, aegis: Aegis) -> None:
        self._aegis = aegis
        self._process = os.getpid()
        self._of_parents: list[Any] = []
        super().__init__(max_retries=0)

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """As of requests. Raises AegisError."""
        if self._process != os.getpid():  # a connection that two processes write to is nobody's
            self._of_parents += [self.poolmanager, self.proxy_manager]
            self._process, self.proxy_manager = os.getpid(), {}
            self.init_poolmanager(self._pool_connections, self._pool_maxsize, block=self._pool_block)
        url, method = request.url or "", request.method or ""
        body = _body(request)
        proxy = self._aegis.proxy_for(url)
        options["proxies"] = {} if proxy is None else {"http": proxy, "https": proxy}
        options["verify"], options["cert"] = self._aegis.authorities or True, None
        request.headers.update(self._aegis.headers(method, url, body))
        require_key(method, request.headers)
        try:
            response = super().send(request, **options)
        except requests.ConnectionError as fault:
            if not _is_unsent(fault):
                raise
            raise AegisUnavailable(f"the mesh does not answer for {url.partition('?')[0]}: {fault}") from fault
        if is_refusal(response.headers):
            body = response.content
            response.close()
            raise self._error(request, response, body)
        return response

    def _error(self, request: requests.PreparedRequest, response: requests.Response, body: bytes) -> Exception:
        error = refusal_error(response.status_code, response.headers, body, self._aegis.standing)
        if isinstance(error, ApprovalNeeded):
            error.request = request
        return error


class Session(requests.Session):
    """A `requests.Session` of an agent. Nothing of the environment leads its requests elsewhere."""

    def __init__(self, aegis: Aegis) -> None:
        super().__init__()
        self.aegis = aegis
        self.trust_env = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, Adapter(aegis))

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As of requests. Raises AegisError."""
        try:
            return super().send(request, **options)
        except ApprovalNeeded as error:
            if error.repeat is not None:  # the last hop of a redirect comes here first, then the call it began with
                raise
            error.repeat = partial(self.send, error.request, **options)
            held = error
        answer: requests.Response = self.aegis.answer(held)
        return answer


def _is_unsent(fault: requests.ConnectionError) -> bool:
    """Whether there was no connection. One that broke later leaves open whether the tool was called."""
    cause = fault.args[0] if fault.args else None
    is_new = isinstance(getattr(cause, "reason", None), NewConnectionError)
    return is_new or isinstance(fault, requests.ConnectTimeout | requests.exceptions.ProxyError)


def _body(request: requests.PreparedRequest) -> bytes:
    """The body as it is sent. A stream is read to its end, for the proof is over all of it."""
    body = request.body
    if body is None:
        return b""
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    content: Any = body
    if isinstance(content, str):
        content = content.encode("utf-8")
    elif hasattr(content, "read"):
        content = content.read()
    else:
        content = b"".join(content)
    content = content.encode("utf-8") if isinstance(content, str) else bytes(content)
    request.body = content
    request.headers.pop("transfer-encoding", None)
    request.headers["content-length"] = str(len(content))
    return bytes(content)
