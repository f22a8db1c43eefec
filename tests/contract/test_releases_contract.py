"""What was published: the memory twin, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.proposals import SqlProposals
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.core.proposal import Proposal, ProposalConflict, ProposalState
from aegis_authz.core.release import (
    MAX_FILES,
    Change,
    ChangeKind,
    ReleaseConflict,
    ReleasesFault,
    RevisionUnknown,
    Sources,
)
from aegis_authz.core.scope import Scope
from aegis_authz.ports.control_plane import Releases
from aegis_authz.ports.proposals import Proposals
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.releases import MemoryReleases
from tests.support.real_postgres import database_url

SOURCES = Sources({"a.yaml": "agent: \u00e4\n"}, {"t.yaml": "tool: t\n"})

PROPOSAL = Proposal("pub_1", "", SOURCES, ChangeKind.PUBLISHED, "ann", 1000.0, "", ProposalState.WAITING, "", {})


def change(revision: str, previous: str = "", kind: ChangeKind = ChangeKind.PUBLISHED) -> Change:
    return Change(kind, revision, previous, "ann", 12.25, "why\nnot", None)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def releases(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Releases]:
    if request.param == "memory":
        yield MemoryReleases(for_tests=True)
        return
    database = BlockingDatabase(await database_url(request, tmp_path))
    database.migrate()
    yield SqlReleases(database)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def shared(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[SqlReleases, SqlReleases]]:
    """The releases of two processes, on one database."""
    url = await database_url(request, tmp_path)
    databases = BlockingDatabase(url), BlockingDatabase(url)
    databases[0].migrate()
    yield SqlReleases(databases[0]), SqlReleases(databases[1])
    for database in databases:
        database.close()


def test_nothing_is_served_before_the_first_release(releases: Releases) -> None:
    assert releases.current() == ""
    assert releases.changes() == []


def test_a_kept_revision_is_not_served_until_it_is_activated(releases: Releases) -> None:
    releases.keep("r1", b"bundle", SOURCES)
    assert releases.current() == ""
    releases.activate(change("r1"))
    assert releases.current() == "r1"
    assert releases.bundle("r1") == b"bundle"
    assert releases.sources("r1") == SOURCES


def test_a_revision_never_changes(releases: Releases) -> None:
    releases.keep("r1", b"first", SOURCES)
    releases.keep("r1", b"second", Sources({}, {}))
    assert releases.bundle("r1") == b"first"
    assert releases.sources("r1") == SOURCES


def test_the_tests_of_a_revision_are_those_that_were_kept_last(releases: Releases) -> None:
    releases.keep("r1", b"first", SOURCES)
    assert releases.tests("r1") == {}
    for tests in ({"a_test.yaml": "tests: [\u00e4]\n"}, {"b_test.yaml": ""}, {}):
        releases.keep_tests("r1", tests)
        releases.keep("r1", b"second", SOURCES)
        assert releases.tests("r1") == tests
    assert releases.sources("r1") == SOURCES


@pytest.mark.parametrize(
    "texts",
    [
        {"A.yaml": "1", "a.yaml": "2", "__proto__": "3"},
        {f"{number}.yaml": "" for number in range(MAX_FILES)},
    ],
    ids=["names alike", "as many as there may be"],
)
def test_whatever_was_published_is_read_again(releases: Releases, texts: dict[str, str]) -> None:
    releases.keep("r1", b"1", Sources(texts, texts))
    releases.keep_tests("r1", texts)
    assert releases.sources("r1") == Sources(texts, texts)
    assert releases.tests("r1") == texts


def test_the_change_log_tells_every_change_newest_first(releases: Releases) -> None:
    releases.keep("r1", b"1", SOURCES)
    releases.keep("r2", b"2", SOURCES)
    lines = [change("r1"), change("r2", "r1"), change("r1", "r2", ChangeKind.ROLLED_BACK)]
    for line in lines:
        releases.activate(line)
    assert releases.changes() == lines[::-1]
    assert releases.current() == "r1"


@pytest.mark.parametrize("revision", ["r9", "../r1", "", "a/b", "r1\n", ".hidden"])
def test_an_unknown_revision_is_neither_read_nor_activated(releases: Releases, revision: str) -> None:
    releases.keep("r1", b"1", SOURCES)
    acts = (releases.bundle, releases.sources, releases.tests, lambda r: releases.keep_tests(r, {"a_test.yaml": ""}))
    for act in (*acts, lambda r: releases.activate(change(r))):
        with pytest.raises(RevisionUnknown):
            act(revision)
    assert releases.current() == ""
    assert releases.changes() == []


@pytest.mark.parametrize("revision", ["../r1", "", "a/b", ".hidden"])
def test_a_bad_name_is_not_kept(releases: Releases, revision: str) -> None:
    with pytest.raises(ValueError):
        releases.keep(revision, b"1", SOURCES)


def test_a_note_about_an_agent_is_logged_and_moves_nothing(releases: Releases) -> None:
    releases.keep("r1", b"b", SOURCES)
    releases.activate(change("r1"))
    note = replace(change("r1", "r1", ChangeKind.REVOKED), agent=Scope("acme", "emea", "bot"))
    releases.note(note)
    assert releases.changes() == [note, change("r1")]
    assert releases.current() == "r1"


def test_another_signature_of_a_revision_has_another_digest(releases: Releases) -> None:
    releases.keep("r1", b"signed", SOURCES)
    first = releases.digest("r1")
    releases.resign("r1", b"signed")
    assert releases.digest("r1") == first
    releases.resign("r1", b"signed anew")
    assert releases.bundle("r1") == b"signed anew"
    assert releases.digest("r1") != first
    with pytest.raises(RevisionUnknown):
        releases.resign("r9", b"signed")


def test_who_looked_before_another_published_changes_nothing(releases: Releases) -> None:
    for revision in ("r1", "r2", "r3"):
        releases.keep(revision, b"b", SOURCES)
    releases.activate(change("r1"))
    releases.activate(change("r2", "r1"))
    with pytest.raises(ReleaseConflict, match="r2"):
        releases.activate(change("r3", "r1"))
    assert releases.current() == "r2"
    assert len(releases.changes()) == 2


def test_what_one_process_published_another_serves(shared: tuple[SqlReleases, SqlReleases]) -> None:
    publisher, reader = shared
    publisher.keep("r1", b"\x00\xff bundle", SOURCES)
    publisher.activate(change("r1"))
    assert (reader.current(), reader.bundle("r1"), reader.sources("r1")) == ("r1", b"\x00\xff bundle", SOURCES)
    assert reader.changes() == [change("r1")]


async def test_of_many_who_publish_at_once_one_does(shared: tuple[SqlReleases, SqlReleases]) -> None:
    names = [f"r{number}" for number in range(8)]
    for name in names:
        shared[0].keep(name, b"b", SOURCES)

    def publish(store: SqlReleases, name: str) -> str:
        try:
            store.activate(change(name))
        except ReleaseConflict:
            return ""
        return name

    steps = [asyncio.to_thread(publish, shared[number % 2], name) for number, name in enumerate(names)]
    (winner,) = [name for name in await asyncio.gather(*steps) if name]
    assert shared[1].current() == winner
    assert len(shared[1].changes()) == 1


def test_a_database_that_is_away_is_a_fault() -> None:
    database = BlockingDatabase("postgresql://aegis:s3cret@127.0.0.1:1/aegis")
    steps: list[Callable[[], object]] = [
        SqlReleases(database).current,
        lambda: SqlReleases(database).note(change("r1")),
    ]
    for step in steps:
        with pytest.raises(ReleasesFault, match=r"aegis:\*\*\*@127") as fault:
            step()
        assert "s3cret" not in str(fault.value)
    database.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def confirmable(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Releases, Proposals, Proposals]]:
    """Releases, the proposals that they publish, and the same proposals once more, as another process has them."""
    if request.param == "memory":
        kept = MemoryProposals(for_tests=True)
        yield MemoryReleases(kept, for_tests=True), kept, kept
        return
    url = await database_url(request, tmp_path)
    blocking, database = BlockingDatabase(url), Database(url)
    blocking.migrate()
    yield SqlReleases(blocking), SqlProposals(database), SqlProposals(database)
    blocking.close()
    await database.close()


async def test_a_proposal_is_published_with_the_change_or_neither_is(
    confirmable: tuple[Releases, Proposals, Proposals],
) -> None:
    releases, proposals, elsewhere = confirmable
    releases.keep("r1", b"1", SOURCES)
    releases.keep("r2", b"2", SOURCES)
    for name in ("pub_1", "pub_2"):
        await proposals.add(replace(PROPOSAL, id=name))
    await asyncio.to_thread(releases.activate_proposal, change("r1"), "pub_1", "pia")
    assert (releases.current(), releases.changes()) == ("r1", [change("r1")])
    published = await elsewhere.get("pub_1")
    assert (published.state, published.decided_by) == (ProposalState.PUBLISHED, "pia")
    await elsewhere.decide("pub_2", ProposalState.WITHDRAWN, "ann")
    for name in ("pub_1", "pub_2", "pub_3"):
        with pytest.raises(ProposalConflict):
            await asyncio.to_thread(releases.activate_proposal, change("r2", "r1"), name, "pia")
    with pytest.raises(ReleaseConflict):
        await asyncio.to_thread(releases.activate_proposal, change("r2"), "pub_2", "pia")
    assert (releases.current(), len(releases.changes())) == ("r1", 1)
    assert (await elsewhere.get("pub_2")).state is ProposalState.WITHDRAWN


async def test_of_a_publication_and_a_withdrawal_at_one_moment_one_happens(
    confirmable: tuple[Releases, Proposals, Proposals],
) -> None:
    releases, proposals, elsewhere = confirmable
    previous = ""
    for number in range(20):
        name = f"pub_{number}"
        await proposals.add(replace(PROPOSAL, id=name))
        releases.keep(f"r{number}", b"1", SOURCES)
        publishing = asyncio.to_thread(releases.activate_proposal, change(f"r{number}", previous), name, "pia")
        outcome, is_withdrawn = await asyncio.gather(
            publishing, elsewhere.decide(name, ProposalState.WITHDRAWN, "ann"), return_exceptions=True
        )
        state = (await proposals.get(name)).state
        is_published = releases.current() == f"r{number}"
        assert (is_published, state is ProposalState.PUBLISHED, is_withdrawn) == (
            is_published,
            is_published,
            not is_published,
        )
        assert isinstance(outcome, ProposalConflict) is not is_published
        previous = releases.current()
