"""A publication tried on recorded calls before it is served: none is decided more mildly, or an owner says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aegis_authz.control.policies.publication import Passed
from aegis_authz.control.policies.standing_documents import folder_of
from aegis_authz.control.policies.trials import Loader, NotTried, TrialRule, TrialServerMissing, TrialsFault
from aegis_authz.control.policies.turns import TurnMissed, Turns
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Seconds
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import Releases

_log = logging.getLogger(__name__)
_TURN = Seconds(60.0)
"""How long a publication waits for those of others."""
_LATER = 10.0
_HOW = (
    "an owner publishes all the same by saying why (aegis policy publish, rollback or confirm --accept REASON, or the "
    "member accept of the request)"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What recorded calls come to under a candidate: how many were judged, and how many are decided more mildly than
    they were and than by what is served; how many are left `unjudged` by it and not by what is served; the first of
    those that are milder, and what became of the rest, in words.
    """

    judged: int
    milder: int
    unjudged: int
    first: str
    rest: str


class Backtests(Protocol):
    """Decides recorded calls again, on servers of this machine."""

    async def verdict(self, loaded: Loaded, served: Loaded | None) -> Verdict:
        """What they come to under these documents, beside those that are served, None where that cannot be told.

        Raises TrialServerMissing, TrialsFault, also where records cannot be read or it takes long.
        """
        ...


class BacktestRule:
    """What recorded calls must come to. One publication's run at a time, as `TrialRule` has it."""

    def __init__(self, backtests: Backtests, loader: Loader, fewest: int, turn: Seconds = _TURN) -> None:
        """At least `fewest` calls must be judged; `turn` is how long one waits for others."""
        self._backtests = backtests
        self._loader = loader
        self._fewest = fewest
        self._turns = Turns(turn)

    async def require(self, sources: Sources, served: Sources, by: str, accept: str) -> str:
        """Try these documents beside those that are served. Returns what the change log is to say of it.

        `accept` is why it may be published whatever this comes to, "" where it may not. Raises PolicyErrors for what
        is no valid document, NotTried where calls are decided more mildly, or it cannot be told, and that is not
        accepted.
        """
        loaded = await asyncio.to_thread(self._loader.loaded, sources)
        former = await asyncio.to_thread(self._former, served)
        try:
            verdict = await self._turns.run(by, partial(self._backtests.verdict, loaded, former))
        except TurnMissed:
            return _accepted(503, "the recorded calls are being decided again for other publications", by, accept)
        except (TrialServerMissing, TrialsFault) as fault:
            return _accepted(503, f"it could not be tried on recorded calls: {fault}", by, accept)
        judged = f"{verdict.judged} recorded call{'' if verdict.judged == 1 else 's'}"
        if verdict.judged < self._fewest:
            words = f"it was tried on {judged}{verdict.rest}, and must be on {self._fewest}"
            return _accepted(422, words, by, accept)
        if verdict.milder:
            words = (
                f"{verdict.milder} of {judged} would be decided more mildly{verdict.rest}, the first {verdict.first}"
            )
            return _accepted(422, words, by, accept)
        if verdict.unjudged:  # what is not shown has not passed, and who wants to hide a call makes it such
            words = (
                f"{verdict.unjudged} of the recorded calls cannot be judged under it and can under what is served: "
                f"tools, parameters, flags or breakers are gone or others (tried on {judged}{verdict.rest})"
            )
            return _accepted(422, words, by, accept)
        return f"(tried on {judged}{verdict.rest}: none is decided more mildly)"

    def _former(self, served: Sources) -> Loaded | None:
        try:
            return self._loader.loaded(served) if served.policies or served.tools else None
        except PolicyErrors as errors:  # of a version of before: all that is milder than what was recorded then counts
            _log.warning("what is served cannot be tried beside a publication: %s", errors)
            return None


class PublicationTrials:
    """What documents must pass before they are served: their own tests, and recorded calls where that is asked for."""

    def __init__(self, tests: TrialRule, backtest: BacktestRule | None, releases: Releases) -> None:
        """`backtest` is None where publications are not tried on recorded calls."""
        self._tests = tests
        self._backtest = backtest
        self._releases = releases

    async def require(self, sources: Sources, tests: Mapping[str, str], by: str, accept: str) -> Passed:
        """Try these documents. Raises PolicyErrors, NotTried, ReleasesFault."""
        remark = await self._tests.require(sources, tests, by)
        if self._backtest is None:
            return Passed(remark, None)
        served = folder_of(await asyncio.to_thread(self._served))
        words = await self._backtest.require(sources, served, by, accept)
        return Passed(f"{remark} {words}".strip(), served)

    def _served(self) -> Sources:
        current = self._releases.current()
        return self._releases.sources(current) if current else Sources({}, {})


def _accepted(status: int, words: str, by: str, accept: str) -> str:
    """What is said of a trial that did not pass, where that is accepted. Raises NotTried."""
    if accept:
        return f"({words}; accepted by {by}: {accept})"
    raise NotTried(status, f"{words}. Nothing changed; {_HOW}", _LATER if status == 503 else 0.0)
