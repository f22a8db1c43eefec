"""Waiting for a person: until somebody decided, and no longer than was said."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from aegis_agent import AegisDenied, AegisUnavailable, ApprovalNeeded
from aegis_agent.errors import Refusal, Standing

REFUSAL = Refusal("APPROVAL_NEEDED", "The call is held.", "d1", 403, "after_approval", None)
PENDING, APPROVED = Standing("pending", "Nobody has decided yet.", 0), Standing("approved", "It is approved.", 0)


def script(*standings: Standing | AegisUnavailable) -> Callable[[str], Standing]:
    """A control plane that says these, one after another, of apr_1."""
    steps = iter(standings)

    def ask(approval_id: str) -> Standing:
        step = next(steps)
        assert approval_id == "apr_1"
        if isinstance(step, AegisUnavailable):
            raise step
        return step

    return ask


def held(ask: Callable[[str], Standing], repeat: Callable[[], object] | None = None) -> ApprovalNeeded:
    error = ApprovalNeeded(REFUSAL, "apr_1", time.time() + 60, ask)
    error.repeat = repeat
    return error


def test_the_result_is_that_of_the_call_made_again() -> None:
    assert held(script(PENDING, PENDING, APPROVED), lambda: "paid").wait(60) == "paid"


async def test_it_may_be_awaited() -> None:
    assert await held(script(PENDING, APPROVED), lambda: "paid") == "paid"


async def test_the_call_of_an_asynchronous_client_is_awaited() -> None:
    async def repeat() -> str:
        return "paid"

    error = held(script(APPROVED), repeat)
    error.is_async = True
    with pytest.raises(RuntimeError, match="await this"):
        error.wait(1)
    assert await error == "paid"


@pytest.mark.parametrize("state", ["denied", "cancelled", "expired", "used", "stale", "a word of tomorrow"])
def test_whatever_is_no_approval_is_a_denial(state: str) -> None:
    calls: list[str] = []
    with pytest.raises(AegisDenied, match=r"Approval apr_1: Why\.") as caught:
        held(script(PENDING, Standing(state, "Why.", 0)), lambda: calls.append("made")).wait(60)
    assert (calls, caught.value.decision_id) == ([], "d1")
    assert caught.value.reason == f"APPROVAL_{state.upper()}"


def test_while_nobody_decides_the_time_ends_and_nothing_is_called() -> None:
    calls: list[str] = []
    error = held(script(PENDING, APPROVED), lambda: calls.append("made"))
    with pytest.raises(TimeoutError, match=r"approval apr_1: Nobody has decided yet\."):
        error.wait(0)
    assert calls == []
    error.wait(0)  # it may be waited for again
    assert calls == ["made"]


def test_a_control_plane_that_is_away_decides_nothing() -> None:
    with pytest.raises(TimeoutError, match="does not answer"):
        held(script(AegisUnavailable("it does not answer")), lambda: "paid").wait(0)


def test_a_call_that_no_client_made_is_not_repeated() -> None:
    with pytest.raises(RuntimeError, match="no client made this call"):
        held(script(APPROVED)).wait(60)
