from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.files.access_log import BEGINNING, AccessLogTail, LogPlace


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def write(path: Path, *lines: str, mode: str = "a") -> None:
    with path.open(mode) as file:
        file.write("".join(lines))


def read(tail: AccessLogTail, most: int = 100) -> list[str]:
    return [line.raw.decode().strip() for line in tail.lines(most)]


def test_lines_are_read_once_and_whole(log: Path) -> None:
    tail = AccessLogTail(log, BEGINNING)
    assert read(tail) == []
    write(log, "a\n", "b\n", "half")
    assert read(tail, 1) == ["a"]
    assert read(tail) == ["b"]
    assert read(tail) == []
    write(log, " of it\n")
    (line,) = tail.lines(100)
    assert (line.file, line.number, line.raw) == ("access.log", 3, b"half of it\n")
    tail.close()


def test_a_log_that_is_rotated_is_read_to_its_end_first(log: Path) -> None:
    tail = AccessLogTail(log, BEGINNING)
    write(log, "a\n")
    assert read(tail) == ["a"]
    write(log, "b\n")
    log.rename(log.with_name("access.log.1"))
    assert read(tail) == ["b"]
    write(log, "c\n")
    assert read(tail) == ["c"]
    tail.close()


def test_after_a_restart_reading_goes_on_also_in_a_log_that_was_rotated_meanwhile(log: Path) -> None:
    first = AccessLogTail(log, BEGINNING)
    write(log, "a\n", "b\n")
    assert read(first, 1) == ["a"]
    place = first.place
    first.close()
    log.rename(log.with_name("access.log.1"))
    write(log, "c\n")
    later = AccessLogTail(log, place)
    assert [(line.raw, line.number) for line in later.lines(100)] == [(b"b\n", 2), (b"c\n", 1)]
    later.close()


def test_a_log_that_begins_again_is_read_from_its_beginning(log: Path, caplog: pytest.LogCaptureFixture) -> None:
    tail = AccessLogTail(log, BEGINNING)
    write(log, "a\n", "b\n")
    assert read(tail) == ["a", "b"]
    write(log, "c\n", mode="w")
    assert read(tail) == ["c"]
    tail.close()
    gone = AccessLogTail(log, LogPlace(log.stat().st_ino + 1, 4, 2))
    assert read(gone) == ["c"]
    assert "is another file than before" in caplog.text
    gone.close()


def test_what_is_there_can_be_passed_over(log: Path) -> None:
    write(log, *(f"{number}\n" for number in range(10_001)))
    tail = AccessLogTail(log, BEGINNING)
    tail.to_end()
    write(log, "new\n")
    assert read(tail) == ["new"]
    tail.close()
