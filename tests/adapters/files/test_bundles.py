"""The folder of releases of versions of before, as they wrote it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.files.bundles import FormerRelease, FormerReleases
from aegis_authz.core.release import Change, ChangeKind, ReleasesFault, Sources
from aegis_authz.core.scope import Scope

SOURCES = Sources({"a.yaml": "agent: \u00e4\n"}, {"t.yaml": "tool: t\n"})
FIRST = Change(ChangeKind.FIRST, "r1", "", "control", 12.25, "first start", None)
SECOND = Change(ChangeKind.PUBLISHED, "r2", "r1", "ann", 13.5, "why\nnot", None)
REVOKED = Change(ChangeKind.REVOKED, "r2", "r2", "ann", 14.0, "", Scope("acme", "emea", "bot"))


def write_former(folder: Path, *changes: Change) -> None:
    """Write the folder of a control plane that has made these changes."""
    for name in ("bundles", "sources"):
        (folder / name).mkdir(exist_ok=True)
    documents = json.dumps({"policies": dict(SOURCES.policies), "tools": dict(SOURCES.tools)})
    with (folder / "changes.jsonl").open("a") as log:
        for change in changes:
            line = {"time": change.time, "kind": change.kind.value, "revision": change.revision}
            line |= {"previous": change.previous, "by": change.by, "message": change.message}
            log.write(json.dumps(line if change.agent is None else {**line, "agent": str(change.agent)}) + "\n")
            (folder / "bundles" / f"{change.revision}.tar.gz").write_bytes(f"bundle of {change.revision}".encode())
            (folder / "sources" / f"{change.revision}.json").write_text(documents)
            (folder / "current").write_text(f"{change.revision}\n")


def test_everything_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_former(tmp_path, FIRST, SECOND, REVOKED)
    former = FormerReleases(tmp_path)
    assert former.current() == "r2"
    assert former.changes(99.0) == [FIRST, SECOND, REVOKED]
    assert list(former.releases()) == [
        FormerRelease("r1", b"bundle of r1", SOURCES),
        FormerRelease("r2", b"bundle of r2", SOURCES),
    ]
    assert len(former.paths) == 4


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    former = FormerReleases(tmp_path)
    assert (former.current(), former.changes(99.0), list(former.releases()), former.paths) == ("", [], [], [])


def test_half_a_line_of_a_crash_is_no_line(tmp_path: Path) -> None:
    write_former(tmp_path, FIRST)
    with (tmp_path / "changes.jsonl").open("ab") as log:
        log.write(b'{"time": 5, "ki')
    assert FormerReleases(tmp_path).changes(99.0) == [FIRST]


def test_a_change_that_was_logged_but_did_not_happen_is_noted(tmp_path: Path) -> None:
    write_former(tmp_path, FIRST, SECOND)
    (tmp_path / "current").write_text("r1\n")
    *_, note = FormerReleases(tmp_path).changes(99.0)
    assert (note.kind, note.revision, note.previous, note.time) == (ChangeKind.INTERRUPTED, "r1", "r2", 99.0)


@pytest.mark.parametrize("pointer", ["r7\n", "../../etc\n", "\n"])
def test_a_pointer_to_nothing_is_a_fault_not_a_first_start(tmp_path: Path, pointer: str) -> None:
    write_former(tmp_path, FIRST)
    (tmp_path / "current").write_text(pointer)
    with pytest.raises(ReleasesFault, match="current"):
        FormerReleases(tmp_path).changes(99.0)


def test_a_log_that_is_not_one_is_a_fault(tmp_path: Path) -> None:
    write_former(tmp_path, FIRST)
    (tmp_path / "changes.jsonl").write_text('{"time": "noon"}\n')
    with pytest.raises(ReleasesFault, match=r"changes\.jsonl"):
        FormerReleases(tmp_path).changes(99.0)


def test_a_bundle_without_its_documents_is_a_fault(tmp_path: Path) -> None:
    write_former(tmp_path, FIRST, replace(SECOND, revision="r3"))
    (tmp_path / "sources" / "r3.json").unlink()
    with pytest.raises(ReleasesFault, match=r"r3\.json"):
        list(FormerReleases(tmp_path).releases())
