from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.files.bundles import FileReleases
from aegis_authz.core.release import Change, ChangeKind, ReleasesFault, RevisionUnknown, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.ports.control_plane import Releases
from aegis_authz.testing.releases import MemoryReleases

SOURCES = Sources({"a.yaml": "agent: ä\n"}, {"t.yaml": "tool: t\n"})


class StillClock:
    def now(self) -> float:
        return 1000.5

    def monotonic(self) -> float:
        return 1.0


def change(revision: str, previous: str = "", kind: ChangeKind = ChangeKind.PUBLISHED) -> Change:
    return Change(kind, revision, previous, "ann", 12.25, "why\nnot", None)


@pytest.fixture(params=["memory", "files"])
def releases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Releases]:
    if request.param == "memory":
        yield MemoryReleases(for_tests=True)
    else:
        store = FileReleases(tmp_path, StillClock())
        yield store
        store.close()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], FileReleases]]:
    with ExitStack() as stack:

        def open_it() -> FileReleases:
            stack.close()
            store = FileReleases(tmp_path, StillClock())
            stack.callback(store.close)
            return store

        yield open_it


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


def test_the_change_log_tells_every_change_newest_first(releases: Releases) -> None:
    releases.keep("r1", b"1", SOURCES)
    releases.keep("r2", b"2", SOURCES)
    told = [change("r1"), change("r2", "r1"), change("r1", "r2", ChangeKind.ROLLED_BACK)]
    for one in told:
        releases.activate(one)
    assert releases.changes() == told[::-1]
    assert releases.current() == "r1"


@pytest.mark.parametrize("revision", ["r9", "../r1", "", "a/b", "r1\n", ".hidden"])
def test_an_unknown_revision_is_neither_read_nor_activated(releases: Releases, revision: str) -> None:
    releases.keep("r1", b"1", SOURCES)
    for act in (releases.bundle, releases.sources, lambda r: releases.activate(change(r))):
        with pytest.raises(RevisionUnknown):
            act(revision)
    assert releases.current() == ""
    assert releases.changes() == []


@pytest.mark.parametrize("revision", ["../r1", "", "a/b", ".hidden"])
def test_a_bad_name_is_not_kept(releases: Releases, revision: str) -> None:
    with pytest.raises(ValueError):
        releases.keep(revision, b"1", SOURCES)


def test_everything_survives_the_process(opened: Callable[[], FileReleases]) -> None:
    first = opened()
    first.keep("r1", b"bundle", SOURCES)
    first.activate(change("r1"))
    again = opened()
    assert (again.current(), again.bundle("r1"), again.sources("r1")) == ("r1", b"bundle", SOURCES)
    assert again.changes() == [change("r1")]


def test_two_processes_cannot_own_one_folder(tmp_path: Path, opened: Callable[[], FileReleases]) -> None:
    opened()
    with pytest.raises(ReleasesFault, match="another control plane"):
        FileReleases(tmp_path, StillClock())


def test_an_unfinished_line_of_the_log_is_cut_off(tmp_path: Path, opened: Callable[[], FileReleases]) -> None:
    store = opened()
    store.keep("r1", b"1", SOURCES)
    store.activate(change("r1"))
    with (tmp_path / "changes.jsonl").open("ab") as log:
        log.write(b'{"time": 5, "ki')
    again = opened()
    assert again.changes() == [change("r1")]
    again.activate(change("r1", "r1"))
    assert len(again.changes()) == 2


def test_a_change_that_was_logged_but_did_not_happen_is_noted(
    tmp_path: Path, opened: Callable[[], FileReleases]
) -> None:
    store = opened()
    store.keep("r1", b"1", SOURCES)
    store.keep("r2", b"2", SOURCES)
    store.activate(change("r1"))
    store.activate(change("r2", "r1"))
    (tmp_path / "current").write_text("r1\n")
    again = opened()
    assert again.current() == "r1"
    note = again.changes()[0]
    assert (note.kind, note.revision, note.previous, note.time) == (ChangeKind.INTERRUPTED, "r1", "r2", 1000.5)
    assert opened().changes()[0] == note


@pytest.mark.parametrize("pointer", ["r7\n", "../../etc\n", "\n"])
def test_a_pointer_to_nothing_is_a_fault_not_a_first_start(
    tmp_path: Path, opened: Callable[[], FileReleases], pointer: str
) -> None:
    opened()
    (tmp_path / "current").write_text(pointer)
    with pytest.raises(ReleasesFault, match="current"):
        opened()


def test_a_log_that_is_not_one_is_a_fault(tmp_path: Path, opened: Callable[[], FileReleases]) -> None:
    opened()
    (tmp_path / "changes.jsonl").write_text('{"time": "noon"}\n')
    with pytest.raises(ReleasesFault, match=r"changes\.jsonl"):
        opened()


def test_published_files_are_private(tmp_path: Path, opened: Callable[[], FileReleases]) -> None:
    store = opened()
    store.keep("r1", b"1", SOURCES)
    store.activate(change("r1"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert not [path for path in files if path.name.startswith(".")]


def test_a_note_about_an_agent_is_logged_and_moves_nothing(releases: Releases) -> None:
    releases.keep("r1", b"b", SOURCES)
    releases.activate(change("r1"))
    note = replace(change("r1", "r1", ChangeKind.REVOKED), agent=Scope("acme", "emea", "bot"))
    releases.note(note)
    assert releases.changes() == [note, change("r1")]
    assert releases.current() == "r1"


def test_a_note_is_read_again_and_taken_for_no_interrupted_change(opened: Callable[[], FileReleases]) -> None:
    first = opened()
    first.keep("r1", b"b", SOURCES)
    first.activate(change("r1"))
    note = replace(change("r0", "r0", ChangeKind.RESTORED), agent=Scope("acme", "emea", "bot"))
    first.note(note)
    assert opened().changes() == [note, change("r1")]
