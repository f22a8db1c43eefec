from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters.records.standstill import Standstill

NOW = 1_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for writer in ("authz-0", "authz-1"):
        (tmp_path / writer).mkdir()
        for number in (1, 2):
            (tmp_path / writer / f"0000000{number}.jsonl").write_bytes(b"line\n")
    settle(tmp_path)
    return tmp_path


def settle(folder: Path, ago: float = 60.0) -> None:
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (NOW - ago, NOW - ago))


def test_a_folder_in_which_nothing_changes_has_the_same_mark(folder: Path) -> None:
    standstill = Standstill(folder)
    marks = [standstill.mark(NOW + second) for second in range(3)]
    assert marks[0] is not None
    assert marks == marks[:1] * 3


@pytest.mark.parametrize("change", ["append", "begin a segment", "compress", "remove", "begin a log", "remove a log"])
def test_a_change_makes_another_mark(folder: Path, change: str) -> None:
    standstill = Standstill(folder)
    before = standstill.mark(NOW)
    newest = folder / "authz-1" / "00000002.jsonl"
    match change:
        case "append":
            with newest.open("ab") as file:
                file.write(b"line\n")
        case "begin a segment":
            newest.with_name("00000003.jsonl").touch()
        case "compress":
            newest.with_name("00000001.jsonl").rename(newest.with_name("00000001.jsonl.gz"))
        case "remove":
            newest.with_name("00000001.jsonl").unlink()
        case "begin a log":
            (folder / "authz-2").mkdir()
        case "remove a log":
            newest.unlink()
            newest.with_name("00000001.jsonl").unlink()
            newest.parent.rmdir()
    for path in (folder, *folder.iterdir()):  # of what changed the newest segment alone keeps its time
        if path.stat().st_mtime > NOW:
            os.utime(path, (NOW - 30, NOW - 30))
    assert standstill.mark(NOW * 1_000_000) not in (before, None)


def test_what_changed_a_moment_ago_is_not_relied_on(folder: Path) -> None:
    newest = folder / "authz-0" / "00000002.jsonl"
    marks = []
    for ago in (0.5, 0.0, -5.0, 1.5):
        os.utime(newest, (NOW - ago, NOW - ago))
        marks.append(Standstill(folder).mark(NOW) is not None)
    assert marks == [False, False, False, True]


def test_a_segment_that_begins_in_the_moment_of_a_look_is_followed(folder: Path) -> None:
    standstill, log = Standstill(folder), folder / "authz-0"
    os.utime(log, (NOW, NOW))
    assert standstill.mark(NOW) is None
    later = log / "00000003.jsonl"
    later.touch()
    for path in (log, later):  # in the same tick: of the folder nothing tells that it changed
        os.utime(path, (NOW, NOW))
    before = standstill.mark(NOW + 10)
    later.write_bytes(b"line\n")
    os.utime(later, (NOW + 11, NOW + 11))
    assert standstill.mark(NOW + 20) not in (before, None)


def test_a_log_by_itself_has_marks_and_a_folder_that_is_not_there_has_none(folder: Path) -> None:
    assert Standstill(folder / "authz-0").mark(NOW) is not None
    assert Standstill(folder / "nowhere").mark(NOW) is None
