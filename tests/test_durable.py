from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz import durable


def test_a_file_is_created_once_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert durable.create(path, b"first")
    assert not durable.create(path, b"second")
    assert path.read_bytes() == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_leaves_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    durable.replace(path, b"first")
    durable.replace(path, b"second", 0o644)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_appending_makes_the_file_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    durable.append(path, b"one\n")
    durable.append(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_failed_replacement_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "inside").write_text("x")
    with pytest.raises(OSError):
        durable.replace(tmp_path / "a", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
