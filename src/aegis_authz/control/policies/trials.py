"""Policy tests of a publication: they pass here, whoever publishes and with whatever program, or nothing changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Protocol

from aegis_authz.control.policies.turns import TurnMissed, Turns
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Seconds
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors, Problem

_log = logging.getLogger(__name__)
MAX_TEST_BYTES = 8 * 1024 * 1024
"""How large the tests of a publication may be together."""
_TURN = Seconds(60.0)
"""How long a publication waits for the tests of others."""
_LATER = 10.0
_ELSEWHERE = "publish the documents with their tests (aegis policy publish, or the member tests of the request)"


class NotTried(Exception):
    """A publication that must pass a trial and did not, or was not tried: nothing changed. The message is fit to show.

    `status` is that of HTTP; `retry_after` is in how many seconds to ask again, 0 where that is of no use.
    """

    def __init__(self, status: int, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class TrialServerMissing(Exception):
    """A server that tests are run on is not on this machine; the message says which, and how to get it."""


class TrialsFault(Exception):
    """Tests could not be run to their end; the message is fit to show."""


class Trials(Protocol):
    """Runs policy tests on a real OPA."""

    async def failures(self, loaded: Loaded, tests: Mapping[str, str]) -> list[Problem]:
        """Where tests fail, each with its file, line and name; none where all pass.

        Raises PolicyErrors for tests that cannot be read, TrialServerMissing, TrialsFault, also where it takes long.
        """
        ...


class Loader(Protocol):
    """Reads and checks documents (`control.policies.building`)."""

    def loaded(self, sources: Sources) -> Loaded:
        """These documents, checked. Raises PolicyErrors."""
        ...


class TrialRule:
    """What the tests of a publication must come to. One publication's tests run at a time, and the next are those of
    another person who waits: of each person, one waits in that line.
    """

    def __init__(self, trials: Trials, loader: Loader, is_required: bool, turn: Seconds = _TURN) -> None:
        """`is_required` says that nothing is published without tests; `turn` is how long one waits for others."""
        self._trials = trials
        self._loader = loader
        self._is_required = is_required
        self._turns = Turns(turn)

    async def require(self, sources: Sources, tests: Mapping[str, str], by: str) -> str:
        """Run the tests of these documents. Returns what the change log is to say of them, "" where all pass.

        Raises PolicyErrors where a test fails or cannot be read, NotTried where they must pass and cannot be run.
        """
        if not tests:
            if self._is_required:
                raise NotTried(422, f"this control plane publishes nothing without policy tests: {_ELSEWHERE}")
            return ""
        _require_size(tests)
        try:
            problems = await self._failures(sources, tests, by)
        except TrialServerMissing as missing:
            if self._is_required:
                raise NotTried(
                    503, f"policy tests must pass here, and the control plane cannot run them: {missing}"
                ) from None
            _log.warning("the tests of a publication were not run here: %s", missing)
            return "(tests were not run by the control plane)"
        except TrialsFault as fault:
            raise NotTried(
                503, f"the policy tests could not be run to their end, and nothing changed: {fault}"
            ) from None
        if problems:
            raise PolicyErrors(problems)
        return ""

    async def _failures(self, sources: Sources, tests: Mapping[str, str], by: str) -> list[Problem]:
        loaded = await asyncio.to_thread(self._loader.loaded, sources)
        try:
            return await self._turns.run(by, partial(self._trials.failures, loaded, tests))
        except TurnMissed:
            message = "the policy tests of other publications are being run; nothing changed: try again"
            raise NotTried(503, message, _LATER) from None


def _require_size(tests: Mapping[str, str]) -> None:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in tests.values())
    if size > MAX_TEST_BYTES:
        message = f"the tests are larger than {MAX_TEST_BYTES} bytes together"
        raise PolicyErrors([Problem(min(tests), 1, 1, "", message)])
