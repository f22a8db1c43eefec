"""Publishing: documents in, a signed revision served; and the way back."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from aegis_authz.control.commits import look_at_commits
from aegis_authz.control.policies.bulletin import Bulletin, Live
from aegis_authz.control.policies.directory import EMPTY_DIRECTORY
from aegis_authz.control.policies.publication import Admission, Builder, Draft, Passed, Published, Testing
from aegis_authz.control.policies.standing_documents import (
    folder_of,
    standing_among,
    with_document,
    with_standing,
    without_document,
)
from aegis_authz.core.proposal import Proposal
from aegis_authz.core.release import Change, ChangeKind, ReleaseConflict, ReleasesFault, RevisionUnknown, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.commits import Commits
from aegis_authz.ports.control_plane import Releases
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)
_SELF = "control"
_REBUILDS = 4


class Publisher:
    """The only writer of releases in its process. Changes happen one after another, off the event loop; of two control
    planes that change at once, one is told that the other has.
    """

    def __init__(
        self,
        releases: Releases,
        builder: Builder,
        bulletin: Bulletin,
        admission: Admission,
        testing: Testing,
        clock: Clock,
    ) -> None:
        self._releases = releases
        self._testing = testing
        self._admission = admission
        self._builder = builder
        self._bulletin = bulletin
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._served = (NO_REVISION, "")

    def start(self, folders: Callable[[], Sources]) -> None:
        """Serve the last release; at the very first start, publish the folders.

        A release is rebuilt from its own documents, so that keys, settings and rules of today
        apply. Where another control plane was faster, what that one did is served. Raises PolicyErrors when nothing was
        published before and the folders are invalid, ReleasesFault, OSError.
        """
        try:
            self._begin(folders)
        except ReleaseConflict:
            live = self._read_served()
            self._announce(live)
            _log.info("another control plane published revision %s meanwhile, which is served", live.revision)

    def _begin(self, folders: Callable[[], Sources]) -> None:
        current = self._releases.current()
        if current == "":
            sources = self._builder.home(folders())
            live = self._builder.build(sources)
            self._own_change(live, sources, ChangeKind.FIRST, NO_REVISION, "first start")
            _log.info("first start: published revision %s", live.revision)
            return
        self._rebuild(current)
        self._compare(folders)

    async def watch(self, commits: Commits) -> None:
        """Serve what other control planes publish, within a second; until cancelled."""
        trouble = partial(_log.warning, "whether another control plane has published cannot be seen: %s")
        await look_at_commits(commits, self.follow, (ReleasesFault, RevisionUnknown), trouble)

    async def follow(self) -> None:
        """Serve what was published last, whichever control plane did. Raises ReleasesFault, RevisionUnknown."""
        async with self._one_at_a_time:
            if await asyncio.to_thread(self._signature) == self._served:
                return
            live = await asyncio.to_thread(self._read_served)
            self._announce(live)
            _log.info("revision %s was published by another control plane, and is served", live.revision)

    async def publish(
        self,
        sources: Sources,
        tests: Mapping[str, str],
        by: str,
        message: str,
        base: Revision | None = None,
        accept: str = "",
    ) -> Published:
        """Run the policy tests, try it on recorded calls, validate, lint, compile, sign, store and serve.

        `base` is the revision whose documents were edited, None where they are of somewhere else. Raises PolicyErrors,
        also for a test that fails and for what lint calls an error (all stays as it was), NotTried where tests must
        pass and cannot be run or recorded calls are decided more mildly and `accept` does not say why, ReleaseConflict
        where another than `base` is served or was published meanwhile,
        ProposalWaits where another person must confirm it first, ReleasesFault, DatabaseFault.

        Standing decisions are of no folder: they stay, until they are taken back, and no test is about them.
        """
        tests = await asyncio.to_thread(self._builder.home_tests, sources, tests)
        sources = await asyncio.to_thread(self._builder.home, sources)
        # before the turn of this publication, so that nobody's revocation waits for somebody's tests
        passed = await self._testing.require(sources, tests, by, accept)
        message = _and(message, passed.remark)
        async with self._one_at_a_time:
            await self._require_beside(passed)
            if base is not None and base != await asyncio.to_thread(self._releases.current):
                raise ReleaseConflict("other documents were published since these were opened: open them again")
            await self._require_clean(sources)
            return await self._publish(lambda served: with_standing(sources, served), by, message, tests)

    async def stand(self, path: str, text: str, by: str, message: str) -> Published:
        """Publish what is served and this standing decision. Raises what `publish` does.

        Of what lint says, only that counts which the decision brings: what is served already is not its fault.
        """
        async with self._one_at_a_time:
            _, served = await asyncio.to_thread(self._read_sources)
            await self._require_clean(with_document(served, path, text), served)
            return await self._publish(lambda served: with_document(served, path, text), by, message)

    async def unstand(self, path: str, by: str, message: str) -> Published:
        """Publish what is served without this standing decision, whatever lint says: it must always be taken back.

        Raises what `publish` does.
        """
        async with self._one_at_a_time:
            return await self._publish(lambda served: without_document(served, path), by, message)

    async def current_sources(self) -> Sources:
        """The documents that are served, none before the first. Raises ReleasesFault."""
        return (await asyncio.to_thread(self._read_sources))[1]

    def _tests_of(self, revision: Revision) -> Mapping[str, str]:
        return self._releases.tests(revision) if revision else {}

    async def tests(self, revision: Revision) -> Mapping[str, str]:
        """The policy tests of a revision. Raises RevisionUnknown, ReleasesFault."""
        return await asyncio.to_thread(self._releases.tests, revision)

    def _read_sources(self) -> tuple[Revision, Sources]:
        current = self._releases.current()
        return current, self._releases.sources(current) if current else Sources({}, {})

    async def _publish(
        self,
        change: Callable[[Sources], Sources],
        by: str,
        message: str,
        tests: Mapping[str, str] | None = None,
    ) -> Published:
        base, served = await asyncio.to_thread(self._read_sources)
        sources = change(served)
        live = await asyncio.to_thread(self._builder.build, sources)
        tests = await asyncio.to_thread(self._tests_of, base) if tests is None else tests
        if live.revision != base:
            await self._admission.admit(Draft(ChangeKind.PUBLISHED, base, served, sources, by, message, tests))
        return await self._change(live, sources, ChangeKind.PUBLISHED, by, message, base, tests=tests)

    async def publish_confirmed(
        self, proposal: Proposal, before: Sources, confirmed_by: str, accept: str = ""
    ) -> Published:
        """Publish what somebody proposed in place of these documents and another person confirmed.

        It is tried again, for what it is tried on may be another by now. Raises ReleaseConflict where other
        documents are served by now, ProposalConflict where it waits no more by then, PolicyErrors, NotTried,
        ReleasesFault.
        """
        passed = Passed("", None)
        if folder_of(before) != folder_of(proposal.sources):  # no test is about a standing decision
            passed = await self._testing.require(folder_of(proposal.sources), proposal.tests, confirmed_by, accept)
        async with self._one_at_a_time:
            await self._require_beside(passed)
            base, served = await asyncio.to_thread(self._read_sources)
            if served != before:  # another revision of the same documents is none: keys and revocations make such
                raise ReleaseConflict("other documents were published since it was proposed: propose it again")
            await self._require_clean(folder_of(proposal.sources))
            live = await asyncio.to_thread(self._builder.build, proposal.sources)
            message = _and(proposal.message, f"(confirmed by {confirmed_by})", passed.remark)
            confirmed = (proposal.id, confirmed_by)
            return await self._change(
                live, proposal.sources, proposal.kind, proposal.by, message, base, confirmed, proposal.tests
            )

    async def rollback(self, revision: Revision, by: str, message: str, accept: str = "") -> Published:
        """Serve the documents of an earlier revision again, beside the standing decisions of now.

        They are built anew, and the policy tests that were kept with them are run: keys that were withdrawn since stay
        withdrawn, and the revision then has a new name. Raises RevisionUnknown, also for what was never served,
        PolicyErrors, NotTried, ReleaseConflict, ReleasesFault.
        """
        changes = await asyncio.to_thread(self._releases.changes)
        if all(change.revision != revision for change in changes):
            raise RevisionUnknown(revision)
        folder = folder_of(await asyncio.to_thread(self._releases.sources, revision))
        tests = await asyncio.to_thread(self._releases.tests, revision)
        passed = await self._testing.require(folder, tests, by, accept)
        async with self._one_at_a_time:
            await self._require_beside(passed)
            await self._require_clean(folder)
            base, served = await asyncio.to_thread(self._read_sources)
            sources = with_standing(folder, served)
            live = await asyncio.to_thread(self._builder.build, sources)
            if live.revision != revision:
                message = _and(message, f"(documents of {revision} under today's keys and rules)")
            message = _and(message, passed.remark)
            if live.revision != base:
                await self._admission.admit(Draft(ChangeKind.ROLLED_BACK, base, served, sources, by, message, tests))
            return await self._change(live, sources, ChangeKind.ROLLED_BACK, by, message, base, tests=tests)

    async def rebuild(self, by: str, message: str) -> Published:
        """Serve the same documents under the keys of now. Raises PolicyErrors, ReleasesFault, ReleaseConflict."""
        async with self._one_at_a_time:
            for _ in range(_REBUILDS):
                base, sources = await asyncio.to_thread(self._read_sources)
                live = await asyncio.to_thread(self._builder.build, sources)
                with suppress(ReleaseConflict):  # of what was published meanwhile, once more
                    return await self._change(live, sources, ChangeKind.REBUILT, by, message, base)
            raise ReleaseConflict("other control planes publish without a pause")

    async def resign(self, by: str, message: str) -> None:
        """Serve the same documents under the signing key of now.

        Raises PolicyErrors, ReleasesFault, ReleaseConflict.
        """
        async with self._one_at_a_time:
            previous = await asyncio.to_thread(self._releases.current)
            sources = await asyncio.to_thread(self._releases.sources, previous)
            live = await asyncio.to_thread(self._builder.build, sources)
            change = Change(ChangeKind.REBUILT, live.revision, previous, by, self._clock.now(), message, None)
            tests = await asyncio.to_thread(self._tests_of, previous)
            await asyncio.shield(self._commit(live, sources, tests, change))

    async def note(self, kind: ChangeKind, agent: Scope, by: str, message: str) -> None:
        """Log what was done to an agent; what is served stays. Raises ReleasesFault."""
        async with self._one_at_a_time:
            current = await asyncio.to_thread(self._releases.current)
            change = Change(kind, current, current, by, self._clock.now(), message, agent)
            await asyncio.shield(asyncio.to_thread(self._releases.note, change))

    async def changes(self) -> list[Change]:
        """The change log, newest first. Raises ReleasesFault."""
        return await asyncio.to_thread(self._releases.changes)

    async def sources(self, revision: Revision) -> Sources:
        """The documents of a revision. Raises RevisionUnknown, ReleasesFault."""
        return await asyncio.to_thread(self._releases.sources, revision)

    async def _require_beside(self, passed: Passed) -> None:
        """Refuse what was tried beside other documents than those that are served. Raises ReleaseConflict."""
        if passed.beside is not None and folder_of(await self.current_sources()) != passed.beside:
            raise ReleaseConflict("other documents were published while these were tried: look, and publish again")

    async def _require_clean(self, sources: Sources, served: Sources | None = None) -> None:
        """Refuse what is valid and must not be published all the same, unless it is `served`. Raises PolicyErrors."""
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        errors = await asyncio.to_thread(self._builder.errors, sources, now)
        if errors and served is not None:
            former = await asyncio.to_thread(self._builder.errors, served, now)
            errors = [error for error in errors if error not in former]
        if errors:
            raise PolicyErrors(errors)

    async def _change(
        self,
        live: Live,
        sources: Sources,
        kind: ChangeKind,
        by: str,
        message: str,
        base: Revision,
        confirmed: tuple[str, str] | None = None,
        tests: Mapping[str, str] | None = None,
    ) -> Published:
        """`base` is the revision whose documents went into these; `confirmed` names a proposal, and by whom it is.
        `tests` are None for those of `base`.
        """
        previous = await asyncio.to_thread(self._releases.current)
        if previous != base:
            raise ReleaseConflict("another control plane has published meanwhile; look, and publish again")
        if tests is None:
            tests = await asyncio.to_thread(self._tests_of, base)
        if live.revision == previous:
            await asyncio.to_thread(self._releases.keep_tests, previous, tests)
            return Published(previous, previous, changed=False, tools_changed=False)
        before = await asyncio.to_thread(self._releases.sources, previous) if previous else Sources({}, {})
        change = Change(kind, live.revision, previous, by, self._clock.now(), message, None)
        # Shielded: a caller who hangs up must not leave a release stored but not announced.
        await asyncio.shield(self._commit(live, sources, tests, change, confirmed))
        return Published(live.revision, previous, changed=True, tools_changed=dict(before.tools) != dict(sources.tools))

    async def _commit(
        self,
        live: Live,
        sources: Sources,
        tests: Mapping[str, str],
        change: Change,
        confirmed: tuple[str, str] | None = None,
    ) -> None:
        await asyncio.to_thread(self._store, live, sources, tests, change, confirmed)
        self._announce(live)
        _log.info("%s: revision %s in place of %s", change.kind.value, live.revision, change.previous or "none")

    def _store(
        self,
        live: Live,
        sources: Sources,
        tests: Mapping[str, str],
        change: Change,
        confirmed: tuple[str, str] | None = None,
    ) -> None:
        self._releases.keep(live.revision, live.bundle, sources)
        self._releases.keep_tests(live.revision, tests)
        self._releases.resign(live.revision, live.bundle)
        if confirmed is None:
            self._releases.activate(change)
        else:
            self._releases.activate_proposal(change, *confirmed)

    def _own_change(self, live: Live, sources: Sources, kind: ChangeKind, previous: Revision, message: str) -> None:
        change = Change(kind, live.revision, previous, _SELF, self._clock.now(), message, None)
        self._store(live, sources, self._tests_of(previous), change)
        self._announce(live)

    def _rebuild(self, current: Revision) -> None:
        sources = self._releases.sources(current)
        try:
            live = self._builder.build(sources)
        except PolicyErrors as errors:
            self._announce(Live(current, self._releases.bundle(current), EMPTY_DIRECTORY, None, ""))
            _log.error(
                "revision %s is served as it was signed, though its documents are not valid now: %s", current, errors
            )
            return
        if live.revision == current:
            self._releases.resign(current, live.bundle)
            self._announce(live)
            return
        message = f"documents of {current} under new keys, settings or rules"
        self._own_change(live, sources, ChangeKind.REBUILT, current, message)
        _log.warning("revision %s is served in place of %s: keys, settings or rules changed", live.revision, current)

    def _announce(self, live: Live) -> None:
        self._served = (live.revision, hashlib.sha256(live.bundle).hexdigest())
        self._bulletin.announce(live)

    def _signature(self) -> tuple[Revision, str]:
        """What is served by all control planes: the revision, and the digest of its bundle as it is signed."""
        current = self._releases.current()
        return current, self._releases.digest(current) if current else ""

    def _read_served(self) -> Live:
        """What was published last, to the byte, and what our own build says of its documents."""
        current = self._releases.current()
        bundle, digest = self._releases.bundle(current), self._releases.digest(current)
        try:
            live = self._builder.build(self._releases.sources(current))
        except PolicyErrors as errors:
            _log.error("the documents of revision %s, which is served, are not valid here: %s", current, errors)
            return Live(current, bundle, EMPTY_DIRECTORY, None, digest)
        if live.bundle == bundle:
            return live
        return Live(current, bundle, live.directory, live.bases, digest)

    def _compare(self, folders: Callable[[], Sources]) -> None:
        current = self._releases.current()
        try:
            given, standing = folders(), standing_among(self._releases.sources(current).policies)
            differ = self._builder.build(Sources({**given.policies, **standing}, given.tools)).revision != current
        except (PolicyErrors, OSError) as fault:
            _log.warning("the folders of documents cannot be published as they are: %s", fault)
            return
        if differ:
            _log.warning("the folders differ from revision %s, which is served; publish them to use them", current)


def _and(*remarks: str) -> str:
    return " ".join(remark for remark in remarks if remark)
