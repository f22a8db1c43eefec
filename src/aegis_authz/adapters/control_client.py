"""The control plane's doors, from the other side: what the command line asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self
from urllib.parse import quote

import httpx

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.policy.source.problems import Problem

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


class ControlClient:
    """One control plane and the right to use its admin doors.

    Every method returns the answer's JSON object and raises ControlUnreachable or ControlRefused.
    """

    def __init__(self, url: str, admin_token: str, transport: httpx.BaseTransport | None = None) -> None:
        """`transport` replaces the network in tests."""
        self._url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {admin_token}"},
            timeout=_SECONDS,
            transport=transport,
            trust_env=False,  # the admin token must not travel through a proxy named in the environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def publish(
        self, policies: Mapping[str, str], tools: Mapping[str, str], by: str, message: str, wait: float
    ) -> dict[str, Json]:
        """Publish documents and wait at most `wait` seconds for OPA to activate them."""
        body: dict[str, Json] = {"policies": dict(policies), "tools": dict(tools), "by": by, "message": message}
        return self._ask("POST", "/v1/policies", body, wait)

    def rollback(self, revision: str, by: str, message: str, wait: float) -> dict[str, Json]:
        """Serve the documents of an earlier revision again, and wait as `publish` does."""
        return self._ask("POST", "/v1/rollback", {"revision": revision, "by": by, "message": message}, wait)

    def status(self) -> dict[str, Json]:
        """What is served, and what each OPA runs."""
        return self._ask("GET", "/v1/status")

    def revisions(self) -> dict[str, Json]:
        """The change log, newest first."""
        return self._ask("GET", "/v1/revisions")

    def sources(self, revision: str) -> dict[str, Json]:
        """The documents of a revision."""
        return self._ask("GET", f"/v1/revisions/{_segment(revision)}")

    def approvals(self, state: str) -> dict[str, Json]:
        """Approvals in a state, "" for all, newest first."""
        return self._ask("GET", f"/v1/approvals?state={quote(state, safe='')}" if state else "/v1/approvals")

    def approval(self, approval_id: str) -> dict[str, Json]:
        """One approval."""
        return self._ask("GET", f"/v1/approvals/{_segment(approval_id)}")

    def approve(self, approval_id: str, by: str, note: str) -> dict[str, Json]:
        """Approve; the answer holds the override token."""
        return self._ask("POST", f"/v1/approvals/{_segment(approval_id)}/approve", {"by": by, "note": note})

    def deny(self, approval_id: str, by: str, note: str) -> dict[str, Json]:
        """Deny."""
        return self._ask("POST", f"/v1/approvals/{_segment(approval_id)}/deny", {"by": by, "note": note})

    def _ask(self, method: str, path: str, body: Mapping[str, Json] | None = None, wait: float = 0) -> dict[str, Json]:
        params = {"wait": f"{wait:g}"} if wait else None
        try:
            answer = self._http.request(method, path, params=params, json=body, timeout=_SECONDS + wait)
        except httpx.TransportError as fault:
            raise ControlUnreachable(f"no control plane answers at {self._url}: {fault}") from None
        if len(answer.content) > _MAX_ANSWER_BYTES:
            raise ControlUnreachable(f"{self._url} answers more than a control plane would")
        try:
            said = strict_json.parse_object(answer.content)
        except Refused:
            raise ControlUnreachable(f"what answers at {self._url} is no control plane") from None
        if answer.status_code != 200:
            raise ControlRefused(answer.status_code, _text(said, "detail") or "refused", _problems(said))
        return said


def _segment(name: str) -> str:
    if name in ("", ".", "..") or "/" in name:
        raise ControlRefused(404, "no such revision or approval: that is no id", ())
    return quote(name, safe="")


def _problems(said: Mapping[str, Json]) -> tuple[Problem, ...]:
    listed = said.get("problems")
    if not isinstance(listed, list):
        return ()
    return tuple(
        Problem(
            path=_text(item, "path"),
            line=_number(item, "line"),
            column=_number(item, "column"),
            field=_text(item, "field"),
            message=_text(item, "message"),
            excerpt=_text(item, "excerpt"),
            before=_text(item, "before"),
            cut=_number(item, "cut", 0),
        )
        for item in listed
        if isinstance(item, Mapping)
    )


def _text(said: Mapping[str, Json], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _number(said: Mapping[str, Json], name: str, otherwise: int = 1) -> int:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
