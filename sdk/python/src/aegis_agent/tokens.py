"""The agent's token: obtained when it is needed, renewed in the background before it ends, and never shown."""

from __future__ import annotations

import os
import random
import threading
import time
import weakref
from collections.abc import Callable

from aegis_agent.control_plane import AgentToken
from aegis_agent.errors import AegisUnavailable

_RENEWED_AT = 2 / 3
"""Of a token's life, after which the next one is obtained: the last third is for a control plane that is away."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds between tries while no token can be had; each pause is twice the one before. For the first of them callers
hear of the failure before theirs: a hundred threads do not ask a dead server a hundred times, one after another."""

_LAST_MOMENT = 2.0
"""Seconds before its end in which a token is not used any more: the call takes a while to be judged."""

_EARLIER = 0.1
"""By which share of itself a renewal comes earlier at most, by chance: many that began at once do not ask at once."""


class TokenKeeper:
    """Holds the token that is valid now, for all threads of a process and for those that fork from it."""

    def __init__(self, obtain: Callable[[], AgentToken]) -> None:
        """`obtain` asks for a token, or raises AegisUnavailable."""
        self._obtain = obtain
        self._token: tuple[AgentToken, float] | None = None
        self._fault: tuple[AegisUnavailable, float] | None = None
        self._is_closed = False
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        _keepers.add(self)

    def token(self) -> str:
        """The token to call with. Raises AegisUnavailable when there is none and none can be had."""
        token = self.current()
        if token is not None and self._thread is not None:
            return token
        with self._turn:
            if self._is_closed:
                raise AegisUnavailable("this Aegis is closed; make another one")
            token = self.current() or self._renew()
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, args=(self._stop,), name="aegis-token", daemon=True)
                self._thread.start()
            return token

    def current(self) -> str | None:
        """The token that is good now, None when there is none; asks nobody."""
        if self._token is None or self._is_closed:
            return None
        token, end = self._token
        return token.text if time.monotonic() < end - min(_LAST_MOMENT, token.life / 10) else None

    def close(self) -> None:
        """Stop renewing; no token is given any more."""
        self._is_closed = True
        self._stop.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def renew_in_child(self) -> None:
        """After a fork: the thread is not there any more, and locks are as another thread left them."""
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = None

    def _renew(self) -> str:
        if self._fault is not None and time.monotonic() < self._fault[1]:
            raise AegisUnavailable(str(self._fault[0]))
        began = time.monotonic()  # its life began later, at the issuer's clock: we count too little, never too much
        try:
            token = self._obtain()
        except AegisUnavailable as fault:
            self._fault = (fault, time.monotonic() + _FIRST_PAUSE)
            raise
        self._token, self._fault = (token, began + token.life), None
        return token.text

    def _keep(self, stop: threading.Event) -> None:
        pause = _FIRST_PAUSE
        while not stop.wait(self._rest(pause)):
            with self._turn:
                if stop.is_set():
                    return
                try:
                    self._renew()
                except AegisUnavailable:
                    pause = min(2 * pause, _LONGEST_PAUSE)  # who calls is told, once the token of before has ended
                else:
                    pause = _FIRST_PAUSE

    def _rest(self, pause: float) -> float:
        """Seconds until a token is asked for again: in the last third of a life, or while there is none, `pause`."""
        if self._token is None:
            return pause
        token, end = self._token
        share = _RENEWED_AT * (1 - _EARLIER * random.random())  # noqa: S311  # spreads load, guards nothing
        return max(end - token.life * (1 - share) - time.monotonic(), pause if self._fault is not None else 0.0)


_keepers: weakref.WeakSet[TokenKeeper] = weakref.WeakSet()


def _after_fork() -> None:
    for keeper in list(_keepers):
        keeper.renew_in_child()


os.register_at_fork(after_in_child=_after_fork)
