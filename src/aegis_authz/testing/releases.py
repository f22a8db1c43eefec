"""The releases port in memory: for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aegis_authz.core.proposal import ProposalConflict
from aegis_authz.core.release import REVISION, Change, ReleaseConflict, RevisionUnknown, Sources
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.warning import warn_outside_tests


class MemoryReleases:
    """`control.ports.Releases` that forgets with the process; `proposals` are those that are confirmed here."""

    def __init__(self, proposals: MemoryProposals | None = None, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._proposals = MemoryProposals(for_tests=True) if proposals is None else proposals
        self._releases: dict[Revision, tuple[bytes, Sources]] = {}
        self._tests: dict[Revision, Mapping[str, str]] = {}
        self._changes: list[Change] = []
        self._current = NO_REVISION

    def current(self) -> Revision:
        return self._current

    def bundle(self, revision: Revision) -> bytes:
        return self._of(revision)[0]

    def digest(self, revision: Revision) -> str:
        return hashlib.sha256(self.bundle(revision)).hexdigest()

    def sources(self, revision: Revision) -> Sources:
        return self._of(revision)[1]

    def tests(self, revision: Revision) -> Mapping[str, str]:
        self._of(revision)
        return self._tests.get(revision, {})

    def keep_tests(self, revision: Revision, tests: Mapping[str, str]) -> None:
        self._of(revision)
        self._tests[revision] = dict(tests)

    def keep(self, revision: Revision, bundle: bytes, sources: Sources) -> None:
        if REVISION.match(revision) is None:
            raise ValueError("not a revision")
        self._releases.setdefault(revision, (bundle, Sources(dict(sources.policies), dict(sources.tools))))

    def resign(self, revision: Revision, bundle: bytes) -> None:
        self._releases[revision] = (bundle, self._of(revision)[1])

    def activate(self, change: Change) -> None:
        self._of(change.revision)
        if self._current != change.previous:
            raise ReleaseConflict(f"{self._current} is served by now")
        self._changes.append(change)
        self._current = change.revision

    def activate_proposal(self, change: Change, proposal_id: str, confirmed_by: str) -> None:
        self._of(change.revision)
        if self._current != change.previous:
            raise ReleaseConflict(f"{self._current} is served by now")
        if not self._proposals.publish(proposal_id, confirmed_by):
            raise ProposalConflict("the proposal waits no more: look at it again")
        self.activate(change)

    def note(self, change: Change) -> None:
        self._changes.append(change)

    def changes(self) -> list[Change]:
        return self._changes[::-1]

    def _of(self, revision: Revision) -> tuple[bytes, Sources]:
        try:
            return self._releases[revision]
        except KeyError:
            raise RevisionUnknown(revision) from None
