"""OPA's answers, remembered by the exact question for as long as OPA was just seen to judge by the same revision."""

from __future__ import annotations

import math
from collections.abc import Callable

from aegis_authz.core.decision import Decision
from aegis_authz.core.units import Revision

FRESH = 0.02
"""Seconds for which OPA's word that a revision is active is believed, from when it was asked: so much later than
without this memory may a publication reach a worker. Long enough under load that most calls ask nothing, too short to
hold from one call to the next where few come."""
_AGED = FRESH / 2
"""Seconds after which it is asked for anew while calls go on to be answered by it: OPA has the other half for that, and
those that come meanwhile need neither wait nor ask."""
_MOST_ENTRIES = 10_000
_MOST_BYTES = 16 * 1024 * 1024
_ANSWER_BYTES = 1024


class Answers:
    """What OPA decides is a function of its revision and of the question, which holds all that rules read.

    So the answer to the very same bytes is the same until the revision is another. Each answer of OPA tells it, and
    whoever asks says when it was asked; with another revision everything is forgotten. `now` is in seconds and never
    goes back. Nothing is remembered beyond so many entries and bytes: the oldest leave first.
    """

    def __init__(
        self, now: Callable[[], float], most_entries: int = _MOST_ENTRIES, most_bytes: int = _MOST_BYTES
    ) -> None:
        self.now = now
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._decisions: dict[bytes, Decision] = {}
        self._bytes = 0
        self._revision = Revision("")
        self._asked_at = -math.inf
        self._followed_at = -math.inf

    @property
    def size(self) -> tuple[int, int]:
        """How many answers are remembered, and about how many bytes they and their questions are."""
        return len(self._decisions), self._bytes

    def find(self, question: bytes) -> Decision | None:
        """What OPA says to the question, None where it has to be asked."""
        return self._decisions.get(question) if self.now() - self._asked_at < FRESH else None

    @property
    def is_aged(self) -> bool:
        """Whether OPA should be asked for its revision before its last word about it is worth nothing any more."""
        return self.now() - self._asked_at >= _AGED

    def confirm(self, revision: Revision, asked_at: float) -> None:
        """Note that OPA, asked at a moment, judged by a revision."""
        if revision != self._revision:
            overtaken = asked_at <= max(self._asked_at, self._followed_at)
            self._forget()
            if overtaken:  # which of the two is the newer one is not known; the next answer tells
                return
            self._revision = revision
        self._asked_at = max(self._asked_at, asked_at)

    def follow(self, revision: Revision) -> None:
        """Note that calls are parsed by a revision from now on: answers under another are of no use any more."""
        self._followed_at = self.now()
        if revision != self._revision:
            self._forget()

    def keep(self, question: bytes, decision: Decision) -> None:
        """Remember an answer, unless it is of another revision than OPA's last."""
        if decision.revision != self._revision:
            return
        if self._decisions.pop(question, None) is None:
            self._bytes += _weight(question)
        self._decisions[question] = decision
        while len(self._decisions) > self._most_entries or self._bytes > self._most_bytes:
            oldest = next(iter(self._decisions))
            del self._decisions[oldest]
            self._bytes -= _weight(oldest)

    def _forget(self) -> None:
        self._decisions.clear()
        self._bytes, self._revision = 0, Revision("")


def _weight(question: bytes) -> int:
    return 2 * len(question) + _ANSWER_BYTES  # what a denial names of a call stands in its question
