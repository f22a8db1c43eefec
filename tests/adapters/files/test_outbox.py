"""The outbox of versions of before, as they wrote it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from aegis_authz.adapters.files.outbox import FormerNotice, former_notices
from aegis_authz.core.notice import Notice, NoticeKind, NoticeState

TABLE = """
CREATE TABLE notices (
    approval_id TEXT NOT NULL, place TEXT NOT NULL, kind TEXT NOT NULL, channel TEXT NOT NULL, state TEXT NOT NULL,
    attempts INTEGER NOT NULL, receipt TEXT NOT NULL, trouble TEXT NOT NULL, due REAL NOT NULL, ended REAL,
    PRIMARY KEY (approval_id, place, kind)
)
"""
ROWS = [
    ("apr_1", "slack:#a", "held", "slack", "delivered", 2, "C1 1.2", "", 31.0, 12.0),
    ("apr_2", "email:a@b.example", "held", "email", "waiting", 1, "", "HTTP 503", 50.0, None),
]


def write_former(path: Path, version: int = 1) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(TABLE)
        database.execute(f"PRAGMA user_version = {version}")
        database.executemany("INSERT INTO notices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ROWS)


def test_all_notices_are_read_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    write_former(path)
    held = NoticeKind.HELD
    assert former_notices(path) == [
        FormerNotice(Notice("apr_1", "slack:#a", held, NoticeState.DELIVERED, 2, "C1 1.2", ""), 31.0, 12.0),
        FormerNotice(Notice("apr_2", "email:a@b.example", held, NoticeState.WAITING, 1, "", "HTTP 503"), 50.0, None),
    ]


def test_where_there_is_no_file_there_are_no_notices_and_none_is_made(tmp_path: Path) -> None:
    assert former_notices(tmp_path / "outbox.db") == []
    assert list(tmp_path.iterdir()) == []


def test_an_outbox_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    write_former(path, version=2)
    with pytest.raises(OSError, match="it is of version 2, and this program knows 1"):
        former_notices(path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(OSError, match="cannot be read as an outbox"):
        former_notices(path)
