"""Offline proof of the sealed segments of a log alone, as they come back from a store: without checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from aegis_authz.evidence.checkpoint import Checkpoint
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.notes import Note, Seal
from aegis_authz.evidence.tombstone import Tombstone
from aegis_authz.evidence.verify import LogCheck

_NO_SEAL = "it does not end in a seal, so it is more than sealed segments, or less"


class SealedLogCheck(LogCheck):
    """Follows sealed segments, line by line: each is as its seal says, the chain leads from one to the next, and the
    last line of all is a seal. Where they end is no loss: what their writer wrote behind it stands elsewhere, and
    checkpoints kept elsewhere that seal more are noted.
    """

    def __init__(
        self,
        writer: str,
        keys: Sequence[bytes],
        expected: Sequence[Checkpoint] = (),
        anchored: Sequence[Seal] = (),
        tombstone: Tombstone | None = None,
    ) -> None:
        super().__init__(writer, keys, (), expected, anchored, tombstone)
        self._newest = sys.maxsize  # of no record but those that checkpoints name the hash is kept

    def conclude(self, later: Iterable[Note] | None = None) -> LogReport:
        """Compare with the checkpoints kept elsewhere and report; `later` says nothing of sealed segments."""
        chain_holds = self._damage_count == 0
        if not self._segments.is_closed:
            self._damage(self._writer, _NO_SEAL)
        for checkpoint in self._expected:
            if checkpoint.size <= self._seq:
                self._compare("the checkpoint kept elsewhere", checkpoint, chain_holds)
        for seal in self._anchored:
            if seal.checkpoint.size <= self._seq:
                self._compare_seal(seal, chain_holds)
        sizes = [*(point.size for point in self._expected), *(seal.checkpoint.size for seal in self._anchored)]
        if max(sizes, default=0) > self._seq:
            self._notes.append(f"of {max(sizes)} records that are known, those behind {self._seq} are not here")
        return self._report(self._seq)
