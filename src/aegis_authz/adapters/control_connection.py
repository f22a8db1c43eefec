"""One control plane over HTTP: asked, and its answers and refusals read."""

from __future__ import annotations

import ssl
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from aegis_authz.api.model import Answer, Request
from aegis_authz.api.problem import ProblemDocument
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.policy.source.problems import Problem

AnswerT = TypeVar("AnswerT", bound=Answer)

_SECONDS = 10.0
_MAX_ANSWER_BYTES = 80 * 1024 * 1024  # the documents of a revision


class ControlUnreachable(Exception):
    """No control plane answers there, or not as one would; the message is fit to show."""


class ControlRefused(Exception):
    """The control plane said no; the message is its own. `problems` are those of the documents sent."""

    def __init__(self, status: int, detail: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(detail)
        self.status = status
        self.problems = problems


class ControlConnection:
    """One control plane, and what proves to it who asks."""

    def __init__(
        self,
        url: str,
        bearer: str,
        transport: httpx.BaseTransport | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`bearer` is an API key or the admin token, "" for who is about to sign in. `transport` replaces the network
        in tests; without `tls` a server is verified by the usual authorities.
        """
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {bearer}"} if bearer else {},
            timeout=_SECONDS,
            transport=transport,
            verify=True if tls is None else tls,
            trust_env=False,  # what proves who asks must not travel through a proxy named in the environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _tell(self, method: str, path: str, body: Request | None = None) -> None:
        """Ask what has no answer but that it was done."""
        answer = self._send(method, path, body, 0)
        if answer.status_code != 204:
            raise self._refusal(answer)

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[AnswerT],
        body: Request | None = None,
        wait: float = 0,
        patience: float = 0,
    ) -> AnswerT:
        answer = self._send(method, path, body, wait, patience)
        if answer.status_code == 200:
            return self._read(answer, kind)
        raise self._refusal(answer)

    def _send(self, method: str, path: str, body: Request | None, wait: float, patience: float = 0) -> httpx.Response:
        """`wait` is asked for, in seconds, and `patience` is how many more the answer may take."""
        params = {"wait": f"{wait:g}"} if wait else None
        # a member that was not set may be unknown to a control plane of before, which refuses those
        content = None if body is None else body.model_dump(mode="json", exclude_unset=True)
        try:
            answer = self._http.request(method, path, params=params, json=content, timeout=_SECONDS + wait + patience)
        except httpx.TransportError as fault:
            raise ControlUnreachable(f"no control plane answers at {self._url}: {fault}") from None
        if len(answer.content) > _MAX_ANSWER_BYTES:
            raise ControlUnreachable(f"{self._url} answers more than a control plane would")
        return answer

    def _refusal(self, answer: httpx.Response) -> ControlRefused:
        problem = self._read(answer, ProblemDocument)
        return ControlRefused(answer.status_code, problem.detail, tuple(entry.problem() for entry in problem.problems))

    def _read(self, answer: httpx.Response, kind: type[AnswerT]) -> AnswerT:
        try:
            strict_json.parse_object(answer.content)
            return kind.model_validate_json(answer.content)
        except (Refused, ValidationError):
            raise ControlUnreachable(
                f"what answers at {self._url} is no control plane of this version (HTTP {answer.status_code})"
            ) from None


def segment(name: str) -> str:
    """A name as one part of a path. Raises ControlRefused for what is no name."""
    if name in ("", ".", "..") or "/" in name:
        raise ControlRefused(404, "no such revision, approval or agent: that is no id", ())
    return quote(name, safe="")
