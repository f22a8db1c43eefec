from __future__ import annotations

import os
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


def test_what_envoy_writes_to_the_former_file_after_the_next_was_made_is_read(log: Path) -> None:
    tail = AccessLogTail(log, BEGINNING)
    write(log, "a\n")
    assert read(tail) == ["a"]
    former = log.with_name("access.log.1")
    log.rename(former)
    log.touch()  # as logrotate does with `create`
    assert read(tail) == []
    write(former, "b\n")
    assert read(tail) == ["b"]
    write(former, "c\n")
    write(log, "d\n")
    assert read(tail) == ["c", "d"]
    tail.close()


def test_a_log_that_was_rotated_several_times_meanwhile_is_read_file_by_file(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tail = AccessLogTail(log, BEGINNING)
    names = ["access.log.4", "access.log.3", "access.log.2.gz", "access.log.1", "access.log"]
    write(log, "1\n")
    assert read(tail) == ["1"]
    place = tail.place
    log.rename(log.with_name(names[0]))
    for number, name in enumerate(names[1:], 2):
        write(log, f"{number}\n")
        log.rename(log.with_name(name))
    for number, name in enumerate(names):
        os.utime(log.with_name(name), (number, number))
    write(log.with_name("access.log.lock"), "no log\n")
    after_restart = AccessLogTail(log, place)
    for reader in (tail, after_restart):
        caplog.clear()
        assert [*read(reader, 2), *read(reader)] == ["2", "4", "5"]
        assert "access.log.2.gz was compressed before it was read" in caplog.text
        reader.close()


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
