"""Requests to the mesh itself, and what it answers: by no proxy of the environment, and to no other address."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aegis_agent.errors import AegisUnavailable
from aegis_agent.strict_json import parse_object


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: what it says, nothing where that is no object of JSON, and the headers it came with, in lower case."""

    status: int
    headers: Mapping[str, str]
    members: dict[str, Any]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a proof, as an assertion, is for the endpoint that it names."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Exchange:
    """Asks one part of the mesh, which sentences call `name`."""

    def __init__(self, name: str, tls: ssl.SSLContext | None, seconds: float, most_bytes: int) -> None:
        """`tls` verifies its certificate; None is for the authorities of the system. Each read of an answer may take
        `seconds`; of one beyond `most_bytes` nothing is read."""
        self._name = name
        self._seconds = seconds
        self._most_bytes = most_bytes
        handlers = [] if tls is None else [urllib.request.HTTPSHandler(context=tls)]
        # no proxy of the environment: within `aegis agent run` it is the mesh's own
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects(), *handlers)

    def send(self, url: str, body: bytes | None, headers: Mapping[str, str], held_seconds: float = 0) -> Reply:
        """POST a body, or GET where there is none. Raises AegisUnavailable.

        `held_seconds` is how much longer than usual the answer may take, for a person thinks about it.
        """
        request = urllib.request.Request(url, body, dict(headers))  # noqa: S310  # of the enrolment, http or https
        try:
            try:
                response = self._opener.open(request, timeout=self._seconds + held_seconds)
            except urllib.error.HTTPError as answer:  # a status that is no success: it says why
                response = answer
            with response:
                content, status = response.read(self._most_bytes + 1), response.status
                names = {name.lower(): value for name, value in response.headers.items()}
        except (OSError, http.client.HTTPException) as fault:
            why = getattr(fault, "reason", "") or fault or type(fault).__name__
            raise AegisUnavailable(f"{self._name} does not answer at {url}: {why}") from None
        try:
            members = parse_object(content) if len(content) <= self._most_bytes else {}
        except ValueError:
            members = {}
        return Reply(status, names, members)
