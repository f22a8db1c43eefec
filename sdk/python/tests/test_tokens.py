"""Tokens are there before they are needed, for all threads, and after a fork."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from aegis_agent import AegisUnavailable
from aegis_agent.control_plane import AgentToken
from aegis_agent.tokens import TokenKeeper


class Issuer:
    """Issues numbered tokens of this life; counts what it was asked."""

    def __init__(self, life: float) -> None:
        self.life = life
        self.is_away = False
        self.numbers = count(1)
        self.issued = threading.Semaphore(0)
        self.requests = 0

    def obtain(self) -> AgentToken:
        self.requests += 1
        if self.is_away:
            raise AegisUnavailable("the control plane does not answer")
        self.issued.release()
        return AgentToken(f"t{next(self.numbers)}", self.life)


def test_a_token_is_renewed_before_it_ends_and_nobody_waits_for_that() -> None:
    issuer = Issuer(life=0.6)
    keeper = TokenKeeper(issuer.obtain)
    tokens = {keeper.token()}
    for _ in range(3):
        assert issuer.issued.acquire(timeout=10)
    tokens.add(keeper.current() or "none")
    keeper.close()
    assert len(tokens) == 2
    assert "none" not in tokens


def test_many_threads_ask_once() -> None:
    issuer = Issuer(life=60)
    keeper = TokenKeeper(issuer.obtain)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _: keeper.token(), range(64))) == {"t1"}
    assert issuer.requests == 1
    keeper.close()


def test_where_nobody_issues_all_are_told_and_few_ask() -> None:
    issuer = Issuer(life=60)
    issuer.is_away = True
    keeper = TokenKeeper(issuer.obtain)

    def fault(_: int) -> str:
        with pytest.raises(AegisUnavailable) as caught:
            keeper.token()
        return str(caught.value)

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(fault, range(64))) == {"the control plane does not answer"}
    assert issuer.requests < 10
    keeper.close()


def test_the_token_of_before_serves_while_nobody_issues() -> None:
    issuer = Issuer(life=60)
    keeper = TokenKeeper(issuer.obtain)
    first = keeper.token()
    issuer.is_away = True
    assert keeper.token() == first
    keeper.close()


def test_after_a_fork_a_lock_that_was_taken_and_a_thread_that_is_gone_do_not_matter() -> None:
    issuer = Issuer(life=60)
    keeper = TokenKeeper(issuer.obtain)
    first, thread = keeper.token(), keeper._thread
    assert keeper._turn.acquire(timeout=10)  # as another thread of the parent may have had it at that moment
    parents_stop = keeper._stop
    keeper.renew_in_child()
    assert keeper.token() == first
    assert keeper._thread is not thread
    keeper.close()
    parents_stop.set()


def test_a_closed_keeper_gives_no_token_and_leaves_no_thread() -> None:
    keeper = TokenKeeper(Issuer(life=60).obtain)
    keeper.token()
    thread = keeper._thread
    keeper.close()
    with pytest.raises(AegisUnavailable, match="closed"):
        keeper.token()
    assert thread is not None
    assert not thread.is_alive()
