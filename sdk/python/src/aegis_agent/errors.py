"""What a call ends with that the mesh did not let through. Every one of them is an `AegisError`, and none a result."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 30.0


class AegisError(Exception):
    """A call that did not go through; the message is one sentence, fit for a model or a person."""


class AegisUnavailable(AegisError):
    """Nothing was sent to the tool: there is no token, no agent, or no mesh that answers."""


class ToolFailed(AegisError):
    """A function that was let through raised an error, and its results are redacted: this is what is left of its text.

    The error itself is not kept, for it may hold what must not be shown.
    """


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the mesh says of a call that it refused (docs/reasons.md of Aegis).

    `retry` is never, new_token, later or after_approval; `retry_after` is in seconds, None where nothing was said.
    """

    reason: str
    sentence: str
    decision_id: str
    status: int
    retry: str
    retry_after: float | None


class AegisDenied(AegisError):
    """The mesh refused the call. `str()` is the sentence for the model."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal

    @property
    def reason(self) -> str:
        """The stable code of the reason."""
        return self.refusal.reason

    @property
    def sentence(self) -> str:
        """What was refused, why, and what to do next."""
        return self.refusal.sentence

    @property
    def decision_id(self) -> str:
        """Names the record: `aegis explain DECISION_ID`."""
        return self.refusal.decision_id

    @property
    def retryable(self) -> bool:
        """Whether the very same call may go through later."""
        return self.refusal.retry in ("new_token", "later")

    @property
    def retry_after(self) -> float | None:
        """Seconds until then, None where nobody knows."""
        return self.refusal.retry_after


@dataclass(frozen=True, slots=True)
class Standing:
    """How a held call stands: its state, a sentence about it, and the seconds until it is worth asking again."""

    state: str
    sentence: str
    pause: float


class ApprovalNeeded(AegisError):
    """The mesh holds the call until a person has decided. `wait`, or `await` in asyncio, gives the call's result.

    The result is what the client would have returned: the call is repeated as it was, with a proof of its own, and
    goes through once. A denial is raised as AegisDenied.
    """

    def __init__(self, refusal: Refusal, approval_id: str, expires_at: float, ask: Callable[[str], Standing]) -> None:
        """`expires_at` is in seconds since the epoch; `ask` says how an approval stands, or raises AegisUnavailable."""
        super().__init__(refusal.sentence)
        self.refusal = refusal
        self.approval_id = approval_id
        self.expires_at = expires_at
        self.repeat: Callable[[], Any] | None = None
        """Makes the call again; set by the client that made it. Gives an awaitable where `is_async`."""
        self.is_async = False
        self.request: Any = None
        """The request that is held, as the client's library has it; of several hops the last."""
        self._ask = ask

    @property
    def reason(self) -> str:
        """The stable code of the reason."""
        return self.refusal.reason

    @property
    def sentence(self) -> str:
        """What is held, why, and what to do next."""
        return self.refusal.sentence

    @property
    def decision_id(self) -> str:
        """Names the record: `aegis explain DECISION_ID`."""
        return self.refusal.decision_id

    def wait(self, timeout: float | None = None) -> Any:
        """The result of the call, once a person approved it. Blocks.

        `timeout` is in seconds, None for as long as the approval lives. Raises TimeoutError while nobody has decided
        (it may be waited for again), AegisDenied, and RuntimeError for a call of an asynchronous client.
        """
        if self.is_async:
            raise RuntimeError("the call was made by an asynchronous client: await this, or wait_async(timeout)")
        pauses = self._pauses(timeout)
        for pause in pauses:
            threading.Event().wait(pause)
        return self._repeated()

    async def wait_async(self, timeout: float | None = None) -> Any:  # noqa: ASYNC109  # the pause between questions ends by it, too
        """As `wait`, without blocking the event loop."""
        pauses = self._pauses(timeout)
        while (pause := await asyncio.to_thread(next, pauses, None)) is not None:  # noqa: ASYNC110  # the event is elsewhere
            await asyncio.sleep(pause)
        return await self._repeated() if self.is_async else await asyncio.to_thread(self._repeated)

    def __await__(self) -> Generator[Any, None, Any]:
        return self.wait_async().__await__()

    def _repeated(self) -> Any:
        if self.repeat is None:
            raise RuntimeError("no client made this call: repeat it as it was")
        return self.repeat()

    def _pauses(self, timeout: float | None) -> Generator[float, None, None]:
        """Seconds to wait, over and over, until the call is approved. Raises TimeoutError, AegisDenied."""
        began = time.monotonic()
        left = self.expires_at - time.time() + _LONGEST_PAUSE  # the control plane tells the end, by its own clock
        limit = left if timeout is None else timeout
        while True:
            try:
                standing = self._ask(self.approval_id)
            except AegisUnavailable as fault:  # a control plane that is away for a moment decides nothing
                standing = Standing("pending", str(fault), 2.0)
            if standing.state == "approved":
                return
            if standing.state != "pending":
                raise ended(self.approval_id, standing, self.decision_id, self.refusal.status)
            remaining = began + limit - time.monotonic()
            if remaining <= 0:
                raise TimeoutError(f"approval {self.approval_id}: {standing.sentence}")
            yield min(max(standing.pause, _SHORTEST_PAUSE), _LONGEST_PAUSE, remaining)


def ended(approval_id: str, standing: Standing, decision_id: str = "", status: int = 403) -> AegisDenied:
    """The denial of a held call whose approval stands so: denied, expired, used."""
    sentence = f"Approval {approval_id}: {standing.sentence}"
    return AegisDenied(Refusal(f"APPROVAL_{standing.state.upper()}", sentence, decision_id, status, "never", None))
