"""Refusals are read from logs as they are written, each at least once, over restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.refusals import RefusalFollower
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record
from aegis_authz.evidence.search import RecordsUnavailable
from tests.support.made_records import DENIED

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ALLOWED = replace(DENIED, decision_id="allowed", effect=Effect.ALLOW, reason=Reason.ALLOWED)


def refusal(name: str, time: float = 100.0) -> Record:
    return replace(DENIED, decision_id=name, time=time)


async def write(folder: Path, writer: str, *records: Record) -> None:
    async with FileRecordLog(folder / "records" / writer, writer, KEY, SystemClock(), max_file_bytes=4000) as log:
        for record in records:
            await log.append(record)


def follower(folder: Path) -> RefusalFollower:
    return RefusalFollower(folder / "records", folder / "alerts.cursor", "control")


def told(reader: RefusalFollower, most: int = 500, since: float = 0.0) -> list[str]:
    _, records = reader.read(most, since)
    reader.keep()
    return [record.decision_id for record in records]


async def test_refusals_alone_are_read_and_each_once(tmp_path: Path) -> None:
    reader = follower(tmp_path)
    assert told(reader) == []  # nobody has written yet
    await write(tmp_path, "authz-0", refusal("a"), ALLOWED, refusal("b"))
    assert told(reader) == ["a", "b"]
    many = [refusal(f"n-{number}") for number in range(12)]  # more than one file holds
    await write(tmp_path, "authz-0", *many)
    await write(tmp_path, "authz-1", refusal("c"))
    assert sorted(told(reader)) == sorted([*(f"n-{number}" for number in range(12)), "c"])
    assert told(reader) == []


async def test_what_was_not_kept_is_read_again_also_after_a_restart(tmp_path: Path) -> None:
    reader = follower(tmp_path)
    told(reader)
    await write(tmp_path, "authz-0", refusal("a"))
    assert told(reader) == ["a"]
    await write(tmp_path, "authz-0", refusal("b"))
    for _ in range(2):
        assert [record.decision_id for record in reader.read(500, 0.0)[1]] == ["b"]
    reader = follower(tmp_path)
    assert told(reader) == ["b"]
    assert told(follower(tmp_path)) == []


async def test_a_log_that_cannot_be_read_holds_up_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = follower(tmp_path)
    await write(tmp_path, "authz-0", refusal("a"))
    await write(tmp_path, "authz-1", refusal("b"))
    assert sorted(told(reader)) == ["a", "b"]
    damaged = tmp_path / "records" / "authz-0" / "00000009.jsonl.gz"
    damaged.write_bytes(b"no archive")
    for name in ("c", "d"):
        await write(tmp_path, "authz-1", refusal(name))
        assert told(reader) == [name]
    assert caplog.text.count("00000009.jsonl.gz") == 1
    damaged.unlink()
    await write(tmp_path, "authz-0", refusal("e"))
    assert told(reader) == ["e"]


async def test_whoever_begins_to_follow_is_told_of_what_is_new_alone(tmp_path: Path) -> None:
    await write(tmp_path, "authz-0", refusal("old", 50.0), refusal("older", 40.0), refusal("new", 100.0))
    reader = follower(tmp_path)
    assert [told(reader, most=1, since=90.0) for _ in range(3)] == [[], [], ["new"]]
    assert not (tmp_path / "alerts.cursor").exists()  # not read to the end yet: a restart must not tell the old ones
    assert told(reader, most=1) == []
    assert (tmp_path / "alerts.cursor").exists()
    await write(tmp_path, "authz-0", refusal("late", 1.0))
    assert told(reader) == ["late"]  # of a clock that is behind


async def test_logs_are_read_in_turn(tmp_path: Path) -> None:
    await write(tmp_path, "authz-0", *(refusal(f"a{number}") for number in range(2)))
    await write(tmp_path, "authz-1", refusal("b"))
    reader = follower(tmp_path)
    assert told(reader, most=2) == ["a0", "b"]


async def test_who_wants_to_learn_of_none_forgets_where_reading_was(tmp_path: Path) -> None:
    reader = follower(tmp_path)
    await write(tmp_path, "authz-0", refusal("a"))
    told(reader)
    reader.forget()
    assert not (tmp_path / "alerts.cursor").exists()
    await write(tmp_path, "authz-0", refusal("b"))
    assert told(reader, since=150.0) == []


async def test_the_writers_are_those_that_decide(tmp_path: Path) -> None:
    reader = follower(tmp_path)
    assert list(reader.writers()) == []
    await write(tmp_path, "control", refusal("a"))
    assert list(reader.writers()) == []
    await write(tmp_path, "authz-0", refusal("a"))
    assert list(reader.writers()) == ["authz-0"]


async def test_a_damaged_line_is_said_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    await write(tmp_path, "authz-0", refusal("a"))
    [path] = (tmp_path / "records" / "authz-0").glob("*.jsonl")
    with path.open("ab") as file:
        file.write(b'{"effect":"deny"}\n')
    assert told(follower(tmp_path)) == ["a"]
    assert "line 2 holds no record" in caplog.text


def test_a_cursor_that_is_none_is_said_and_nothing_is_read(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    (tmp_path / "alerts.cursor").write_text("x", "utf-8")
    with pytest.raises(RecordsUnavailable, match=r"alerts\.cursor is no cursor"):
        follower(tmp_path).read(5, 0.0)
