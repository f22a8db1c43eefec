"""An agent of a mesh, ready to call: where calls go, and what each of them shows."""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from aegis_agent.control_plane import ControlPlane
from aegis_agent.enrolment import KEY_FILE, Enrolment, find_enrolment
from aegis_agent.errors import AegisUnavailable, ApprovalNeeded, Standing
from aegis_agent.evaluation import Evaluations, Permit
from aegis_agent.functions import Asking, wrapped
from aegis_agent.key import AgentKey, load_key, target_uri
from aegis_agent.tokens import TokenKeeper

F = TypeVar("F", bound=Callable[..., Any])


class Aegis:
    """One agent. Threads and forked processes may share it; close it, or use it as a context, when done."""

    def __init__(
        self,
        enrolment: Enrolment,
        key: AgentKey,
        on_pending: Callable[[ApprovalNeeded], Any] | None = None,
        approval_wait: int = 0,
    ) -> None:
        """Raises AegisUnavailable for a file of authorities that holds none, and ValueError for a wait that is none."""
        self.agent = enrolment.agent
        """org/tenant/agent."""
        self.tls = _tls(enrolment.authorities)
        """Verifies the mesh, and the tools that it opens HTTPS to; None is for the authorities of the system."""
        self.authorities = enrolment.authorities
        """The file that `tls` was made of, or ""."""
        self.on_pending = on_pending
        """Is told of each held call, which then waits by itself; None: a held call raises ApprovalNeeded."""
        self._enrolment = enrolment
        self._key = key
        self._control = ControlPlane(enrolment, key, self.tls)
        self._tokens = TokenKeeper(self._control.obtain)
        self._evaluations = Evaluations(enrolment, self.headers, self.tls, self._control.standing, approval_wait)

    @classmethod
    def from_env(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        on_pending: Callable[[ApprovalNeeded], Any] | None = None,
        approval_wait: int = 0,
    ) -> Aegis:
        """The agent that was enrolled on this machine: `aegis agent enroll`, or `aegis up` for its own.

        `AEGIS_AGENT_FOLDER`, `AEGIS_DIR` and `AEGIS_AGENT` say which (docs/sdk-python.md). Asks nobody for anything
        yet. With `on_pending`, clients and wrapped functions tell it of a held call (in asyncio it may be awaited),
        wait until somebody has decided or the approval ends, and give the call's result: ApprovalNeeded is not raised.
        `approval_wait` has the mesh keep a question about a function open for so many seconds while a person decides,
        where its rule has a `hold`: who is quick is not noticed, and for any other the answer is as without. Raises
        AegisUnavailable, which says what to do, and ValueError for a wait that is no whole number from 0 to 300.
        """
        chosen = os.environ if environment is None else environment
        enrolment = find_enrolment(chosen, Path.home(), Path.cwd())
        return cls(enrolment, load_key(enrolment.folder / KEY_FILE), on_pending, approval_wait)

    def __repr__(self) -> str:
        return f"Aegis({self.agent})"

    def headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """What this one request has to carry, once: a retry and each hop of a redirect need their own.

        `url` and `body` are as they are sent, to the byte. Raises AegisUnavailable, and ValueError for a URL that is
        none of a call: then nothing may be sent.
        """
        token = self._tokens.token()
        return {"x-aegis-token": token, "x-aegis-proof": self._key.proof(method, url, token, body)}

    async def headers_async(self, method: str, url: str, body: bytes) -> dict[str, str]:
        """As `headers`; the event loop does not wait while a token is obtained."""
        if self._tokens.current() is None:
            await asyncio.to_thread(self._tokens.token)
        return self.headers(method, url, body)

    def proxy_for(self, url: str) -> str | None:
        """The forward proxy that a request for this URL goes through, None for one at the mesh's reverse routes.

        Raises AegisUnavailable where the mesh has no way there, and ValueError for a URL that is none of a call.
        """
        origin = _origin(url)
        if self._enrolment.reverse and origin == _origin(self._enrolment.reverse):
            return None
        if not self._enrolment.proxy:
            raise AegisUnavailable(f"the mesh of {self.agent} has no forward proxy, and {origin} is not the mesh")
        return self._enrolment.proxy

    def tool_url(self, tool: str) -> str:
        """The base URL of a tool of the catalogue at the mesh's reverse routes. Raises AegisUnavailable."""
        if not self._enrolment.reverse:
            raise AegisUnavailable(f"the mesh of {self.agent} has no reverse routes; call the tool's own URL")
        return f"{self._enrolment.reverse}/{tool}"

    def standing(self, approval_id: str) -> Standing:
        """How a held call stands. Raises AegisUnavailable."""
        return self._control.standing(approval_id)

    def answer(self, held: ApprovalNeeded) -> Any:
        """What a client gives for a held call. Raises `held` where nobody is told of it, AegisDenied, TimeoutError."""
        if self.on_pending is None:
            raise held
        self.on_pending(held)
        return held.wait()

    async def answer_async(self, held: ApprovalNeeded) -> Any:
        """As `answer`, of an asynchronous client."""
        if self.on_pending is None:
            raise held
        answer = self.on_pending(held)
        if inspect.isawaitable(answer):
            await answer
        return await held.wait_async()

    def evaluate(self, tool: str, action: str, arguments: Mapping[str, Any]) -> Permit:
        """Ask whether the agent may call an action of a tool of the catalogue with these arguments, now and once.

        Nothing may be called unless this returns, and then only with the `arguments` of what it returns; what became of
        it is reported by `done`, `failed` or `not_called`. Raises AegisDenied, ApprovalNeeded, AegisUnavailable, and
        TypeError for arguments that are no JSON.
        """
        return self._evaluations.ask(tool, action, arguments)

    async def evaluate_async(self, tool: str, action: str, arguments: Mapping[str, Any]) -> Permit:
        """As `evaluate`, without blocking the event loop. What it returns is reported to in a thread, too."""
        return await self._evaluations.ask_async(tool, action, arguments)

    def wrap(self, function: F, *, tool: str, action: str = "", unjudged: Collection[str] = ()) -> F:
        """The function, judged as `action` of `tool` each time it is called: with the same signature, sync or async.

        Its arguments, by their names and with their defaults, are the parameters that policy judges; `action` is the
        function's name unless it says otherwise. `unjudged` names parameters that are no arguments of the tool, such as
        a framework's context. The function is called once policy allows it, with what policy made of its arguments, and
        what is returned is what policy leaves of its result. Raises what `evaluate` raises, before anything is called;
        where results are redacted, an error of the function becomes ToolFailed. TypeError for a function that cannot be
        judged by its signature.
        """
        asking = Asking(self._evaluations, self.answer, self.answer_async)
        return wrapped(function, asking, tool, action, unjudged)

    def close(self) -> None:
        """Stop renewing the token. Calls that are made afterwards raise AegisUnavailable."""
        self._tokens.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)


def _origin(url: str) -> str:
    parts = urlsplit(target_uri(url))
    return f"{parts.scheme}://{parts.netloc}"


def _tls(authorities: str) -> ssl.SSLContext | None:
    if not authorities:
        return None
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as fault:
        raise AegisUnavailable(f"{authorities}: no certificate authorities: {fault.strerror or fault}") from None
