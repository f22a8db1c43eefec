from __future__ import annotations

import base64
import io
import json
import logging
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

import pytest

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.building import PolicyBuilder
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.publication import Draft, Passed
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.proposal import Proposal, ProposalState
from aegis_authz.core.release import Change, ChangeKind, ReleaseConflict, RevisionUnknown, Sources
from aegis_authz.core.units import Epoch
from aegis_authz.policy.bundle.snapshot import snapshot_from_data
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.testing.releases import MemoryReleases
from tests.support.descriptors import descriptor_set, payments
from tests.support.publication import NoTesting

Documents = Callable[..., Sources]
NewPlane = Callable[..., ControlServices]
INVALID = Sources({"a.yaml": "nonsense: 1\n"}, {})


def revision(plane: ControlServices) -> str:
    assert plane.bulletin.live is not None
    return plane.bulletin.live.revision


def test_the_first_start_publishes_the_folders(
    plane: ControlServices, documents: Documents, releases: MemoryReleases
) -> None:
    plane.publisher.start(documents)
    assert revision(plane) == releases.current()
    assert releases.changes()[0].kind is ChangeKind.FIRST


def test_the_first_start_fails_on_invalid_folders_and_serves_nothing(
    plane: ControlServices, releases: MemoryReleases
) -> None:
    with pytest.raises(PolicyErrors, match=r"a\.yaml:1:1"):
        plane.publisher.start(lambda: INVALID)
    assert releases.current() == ""
    assert plane.bulletin.live is None


def test_a_later_start_serves_what_was_served_whatever_the_folders_say(
    plane: ControlServices, new_plane: NewPlane, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    plane.publisher.start(documents)
    for folders, words in ((documents(1), "folders differ"), (INVALID, "cannot be published")):
        again = new_plane()
        caplog.clear()
        again.publisher.start(lambda folders=folders: folders)
        assert revision(again) == revision(plane)
        assert words in caplog.text


def test_a_later_start_with_the_same_folders_is_silent(
    plane: ControlServices, new_plane: NewPlane, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    plane.publisher.start(documents)
    with caplog.at_level(logging.INFO):
        caplog.clear()
        new_plane().publisher.start(documents)
    assert caplog.records == []


def test_folders_that_are_gone_do_not_stop_a_later_start(
    plane: ControlServices, new_plane: NewPlane, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    def gone() -> Sources:
        raise FileNotFoundError("/policies")

    plane.publisher.start(documents)
    again = new_plane()
    again.publisher.start(gone)
    assert revision(again) == revision(plane)
    assert "cannot be published" in caplog.text


def test_other_keys_give_the_same_documents_a_new_revision_at_a_start(
    plane: ControlServices, new_plane: NewPlane, documents: Documents, releases: MemoryReleases, tmp_path: Path
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    rotated = new_plane(keys=open_keys(tmp_path / "rotated"))
    rotated.publisher.start(lambda: documents(1))
    assert revision(rotated) == releases.current() != first
    assert releases.changes()[0].kind is ChangeKind.REBUILT
    assert releases.sources(revision(rotated)) == documents()


def test_documents_that_became_invalid_are_served_as_they_were_signed(
    plane: ControlServices, documents: Documents, releases: MemoryReleases, caplog: pytest.LogCaptureFixture
) -> None:
    releases.keep("old", b"signed long ago", INVALID)
    releases.activate(Change(ChangeKind.PUBLISHED, "old", "", "ann", 1.0, "", None))
    plane.publisher.start(documents)
    assert plane.bulletin.live is not None
    assert plane.bulletin.live.bundle == b"signed long ago"
    assert "not valid now" in caplog.text


async def test_publishing_the_revision_before_the_last_moves_back_to_it(
    plane: ControlServices, documents: Documents, releases: MemoryReleases
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    await plane.publisher.publish(documents(1), {}, "ann", "")
    done = await plane.publisher.publish(documents(), {}, "ann", "")
    assert (done.revision, done.changed) == (first, True)
    assert len(releases.changes()) == 3


def test_the_doctors_documents_are_part_of_every_revision_but_not_of_its_sources(
    new_plane: NewPlane, settings: ControlSettings, documents: Documents, releases: MemoryReleases, tmp_path: Path
) -> None:
    bare = new_plane()
    bare.publisher.start(documents)
    first = releases.current()
    for kind, text in (
        ("policies", "agent: doctor\n"),
        ("tools", documents(host="probe.example").tools["stripe.yaml"]),
    ):
        (tmp_path / "probe" / kind).mkdir(parents=True)
        (tmp_path / "probe" / kind / "finance.yaml").write_text(text.replace("stripe-payments", "probe"))
    probed = new_plane(settings=settings.model_copy(update={"probe": tmp_path / "probe"}))
    probed.publisher.start(documents)
    assert revision(probed) != first
    assert releases.sources(revision(probed)) == documents()
    live = probed.bulletin.live
    assert live is not None
    assert b"probe.example" in live.bundle
    assert b"api.stripe.example" in live.bundle


async def test_a_descriptor_set_is_published_with_the_documents_that_name_it_and_another_is_another_revision(
    plane: ControlServices, documents: Documents, releases: MemoryReleases
) -> None:
    plane.publisher.start(documents)
    tool = "tool: pay\nhost: pay.example\ndescriptor_set: pay.binpb\nactions:\n  a: {match: POST /pay.v1.Payments/Create, body: grpc}\n"
    seen = {revision(plane): NO_INTERFACE}
    changed = payments()
    changed.message_type[0].field[0].number = 500
    for content in (descriptor_set(), descriptor_set(changed)):
        tools = {**documents().tools, "pay.yaml": tool, "pay.binpb": base64.b64encode(content).decode()}
        published = Sources(documents().policies, tools)
        await plane.publisher.publish(published, {}, "ann", "")
        assert releases.sources(revision(plane)) == published
        assert plane.bulletin.live is not None
        with tarfile.open(fileobj=io.BytesIO(plane.bulletin.live.bundle)) as bundle:
            file = bundle.extractfile("data.json")
            assert file is not None
            snapshot = snapshot_from_data(json.loads(file.read())["aegis"]["snapshot"])
        seen[revision(plane)] = snapshot.catalogue.by_name["pay"].interface
    assert [min(interface.messages["pay.v1.Payee"].fields) for interface in [*seen.values()][1:]] == [1, 2]


async def test_a_detector_that_does_not_exist_is_a_problem(plane: ControlServices, documents: Documents) -> None:
    sanitize = "    sanitize: {request: {detectors: [us_snn]}}\n"
    wrong = Sources({"a.yaml": documents().policies["finance.yaml"] + sanitize}, documents().tools)
    with pytest.raises(PolicyErrors, match="us_snn"):
        await plane.publisher.publish(wrong, {}, "ann", "")


async def test_what_one_control_plane_publishes_the_other_serves_to_the_byte(
    new_plane: NewPlane, documents: Documents
) -> None:
    first, second = new_plane(), new_plane()
    for plane in (first, second):
        plane.publisher.start(documents)
    await first.publisher.publish(documents(1), {}, "ann", "")
    assert revision(second) != revision(first)
    await second.publisher.follow()
    assert (first.bulletin.live, second.bulletin.live) == (second.bulletin.live, first.bulletin.live)
    before = second.bulletin.live
    await second.publisher.follow()
    assert second.bulletin.live is before


async def test_a_control_plane_with_other_settings_serves_what_was_signed(
    new_plane: NewPlane, documents: Documents, settings: ControlSettings
) -> None:
    first, second = new_plane(), new_plane(settings=settings.model_copy(update={"max_token_life": 60.0}))
    second.publisher.start(documents)
    first.publisher.start(documents)
    await second.publisher.follow()
    ours, theirs = first.bulletin.live, second.bulletin.live
    assert ours is not None
    assert theirs is not None
    assert (ours.revision, ours.bundle, ours.bases) == (theirs.revision, theirs.bundle, theirs.bases)


async def test_another_signature_is_followed_too(
    new_plane: NewPlane, documents: Documents, releases: MemoryReleases
) -> None:
    plane = new_plane()
    plane.publisher.start(documents)
    releases.resign(revision(plane), b"signed by the next key")
    await plane.publisher.follow()
    assert plane.bulletin.live is not None
    assert plane.bulletin.live.bundle == b"signed by the next key"


class Admitting:
    """Lets every publication pass."""

    async def admit(self, draft: Draft) -> None:
        pass


class Raced(MemoryReleases):
    """Releases in which another control plane publishes each time after one has looked, as often as is said."""

    races = 0

    def keep(self, revision: str, bundle: bytes, sources: Sources) -> None:
        super().keep(revision, bundle, sources)
        if self.races:
            self.races -= 1
            other, before = f"other-{self.races}", self.current()
            super().keep(other, b"published meanwhile", sources)
            super().activate(Change(ChangeKind.PUBLISHED, other, before, "bob", 1.0, "", None))


@pytest.fixture
def raced() -> Raced:
    return Raced(for_tests=True)


async def test_who_publishes_while_another_does_is_told_and_changes_nothing(
    settings: ControlSettings, raced: Raced, documents: Documents
) -> None:
    publisher = Publisher(
        raced, policy_builder(settings, open_keys(settings.keys)), Bulletin(), Admitting(), NoTesting(), SystemClock()
    )
    publisher.start(documents)
    raced.races = 1
    with pytest.raises(ReleaseConflict, match="other-0"):
        await publisher.publish(documents(1), {}, "ann", "")
    assert raced.current() == "other-0"


class TriedMeanwhile:
    """Tries documents beside what is served, while something else happens."""

    def __init__(self, served: Sources, event: Callable[[], Awaitable[object]]) -> None:
        self._served = served
        self._event = event
        self.tried: list[Sources] = []

    async def require(self, sources: Sources, tests: Mapping[str, str], by: str, accept: str) -> Passed:
        self.tried.append(sources)
        await self._event()
        return Passed("(tried)", self._served)


async def test_what_was_tried_beside_documents_that_are_served_no_more_is_not_published(
    settings: ControlSettings, releases: MemoryReleases, documents: Documents
) -> None:
    builder = policy_builder(settings, open_keys(settings.keys))
    usual = Publisher(releases, builder, Bulletin(), Admitting(), NoTesting(), SystemClock())
    usual.start(documents)
    first = releases.current()

    async def tighten() -> None:
        await usual.publish(documents(1), {}, "bob", "at once")

    trying = TriedMeanwhile(documents(), tighten)
    publisher = Publisher(releases, builder, Bulletin(), Admitting(), trying, SystemClock())
    with pytest.raises(ReleaseConflict, match="while these were tried"):
        await publisher.publish(documents(9000), {}, "ann", "")
    tightened = releases.current()
    with pytest.raises(ReleaseConflict, match="while these were tried"):
        await publisher.rollback(first, "ann", "")
    assert (releases.current(), releases.changes()[0].message) == (tightened, "at once")


async def test_what_was_confirmed_is_published_beside_what_it_was_tried_beside_alone(
    settings: ControlSettings, releases: MemoryReleases, documents: Documents
) -> None:
    """What was served for a moment, and is gone again, is no measure of what is milder."""
    builder = policy_builder(settings, open_keys(settings.keys))

    async def nothing() -> None:
        return

    trying = TriedMeanwhile(documents(9000), nothing)
    publisher = Publisher(releases, builder, Bulletin(), Admitting(), trying, SystemClock())
    publisher.start(documents)
    first, waiting = releases.current(), ProposalState.WAITING
    proposal = Proposal("pub_1", first, documents(8000), ChangeKind.PUBLISHED, "ann", Epoch(1.0), "", waiting, "", {})
    with pytest.raises(ReleaseConflict, match="while these were tried"):
        await publisher.publish_confirmed(proposal, documents(), "bob")
    assert releases.current() == first


async def test_a_standing_decision_is_tried_on_nothing_and_taken_out_of_what_is_tried(
    settings: ControlSettings, releases: MemoryReleases, documents: Documents
) -> None:
    builder = policy_builder(settings, open_keys(settings.keys))

    async def nothing() -> None:
        return

    trying = TriedMeanwhile(documents(), nothing)
    publisher = Publisher(releases, builder, Bulletin(), Admitting(), trying, SystemClock())
    publisher.start(documents)
    await publisher.rebuild("control", "")
    await publisher.stand(DECISION, STANDING, "ann", "")
    assert trying.tried == []
    done = await publisher.publish(documents(), {}, "ann", "")
    assert trying.tried == [documents()]
    assert DECISION in releases.sources(done.revision).policies


async def test_a_rebuild_is_of_what_was_published_meanwhile(
    settings: ControlSettings, raced: Raced, documents: Documents, tmp_path: Path
) -> None:
    builders = [policy_builder(settings, open_keys(folder)) for folder in (settings.keys, tmp_path / "rotated")]
    before, after = [
        Publisher(raced, builder, Bulletin(), Admitting(), NoTesting(), SystemClock()) for builder in builders
    ]
    before.start(documents)
    raced.races = 2
    done = await after.rebuild("control", "")
    assert (done.previous, raced.current()) == ("other-0", done.revision)


def test_at_a_first_start_of_several_one_publishes_and_the_others_serve_that(
    settings: ControlSettings, raced: Raced, documents: Documents
) -> None:
    bulletin = Bulletin()
    raced.races = 1
    Publisher(
        raced, policy_builder(settings, open_keys(settings.keys)), bulletin, Admitting(), NoTesting(), SystemClock()
    ).start(documents)
    assert bulletin.live is not None
    assert (bulletin.live.revision, bulletin.live.bundle) == ("other-0", b"published meanwhile")


async def test_what_was_stored_and_never_served_is_nothing_to_go_back_to(
    plane: ControlServices, documents: Documents, releases: MemoryReleases
) -> None:
    plane.publisher.start(documents)
    releases.keep("never", b"b", documents(1))
    with pytest.raises(RevisionUnknown):
        await plane.publisher.rollback("never", "ann", "")


class LintedBuilder:
    """The real builder; lint finds an error in every document of these paths."""

    def __init__(self, builder: PolicyBuilder, paths: set[str]) -> None:
        self.build, self.home, self.home_tests = builder.build, builder.home, builder.home_tests
        self.paths = paths

    def errors(self, sources: Sources, now: datetime) -> list[Problem]:
        return [
            Problem(path, 1, 1, "", "wide (lint allow-everything)")
            for path in sorted(sources.policies.keys() & self.paths)
        ]


@pytest.fixture
def lint(settings: ControlSettings) -> LintedBuilder:
    return LintedBuilder(policy_builder(settings, open_keys(settings.keys)), set())


@pytest.fixture
def publisher(lint: LintedBuilder, releases: MemoryReleases) -> Publisher:
    return Publisher(releases, lint, Bulletin(), Admitting(), NoTesting(), SystemClock())


STANDING = "org: acme\ntenant: emea\nagent: other\nallowed_tools: []\n"
DECISION = "standing/mine.yaml"


async def test_what_lint_calls_an_error_by_now_is_not_rolled_back_to(
    publisher: Publisher, lint: LintedBuilder, documents: Documents, releases: MemoryReleases
) -> None:
    publisher.start(documents)
    first = releases.current()
    await publisher.publish(Sources({"b.yaml": STANDING}, documents().tools), {}, "ann", "")
    second = releases.current()
    lint.paths.add("finance.yaml")
    with pytest.raises(PolicyErrors, match="allow-everything"):
        await publisher.rollback(first, "ann", "")
    assert (releases.current(), len(releases.changes())) == (second, 2)
    lint.paths.clear()
    assert (await publisher.rollback(first, "ann", "")).revision == first


async def test_a_standing_decision_that_lint_calls_an_error_does_not_stand(
    publisher: Publisher, lint: LintedBuilder, documents: Documents, releases: MemoryReleases
) -> None:
    publisher.start(documents)
    first = releases.current()
    lint.paths.add(DECISION)
    with pytest.raises(PolicyErrors, match="allow-everything"):
        await publisher.stand(DECISION, STANDING, "ann", "")
    assert (releases.current(), len(releases.changes())) == (first, 1)


async def test_a_standing_decision_stands_whatever_lint_says_of_what_is_served_and_is_always_taken_back(
    publisher: Publisher, lint: LintedBuilder, documents: Documents, releases: MemoryReleases
) -> None:
    publisher.start(documents)
    first = releases.current()
    lint.paths.add("finance.yaml")
    await publisher.stand(DECISION, STANDING, "ann", "")
    assert DECISION in releases.sources(releases.current()).policies
    lint.paths.add(DECISION)
    await publisher.unstand(DECISION, "ann", "")
    assert releases.current() == first
