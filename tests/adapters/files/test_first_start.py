"""How far the memory of limits was begun."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.files.first_start import FileFirstStart


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "limits-begun"


def test_a_start_that_is_not_finished_names_the_life_it_was_begun_in(file: Path) -> None:
    assert FileFirstStart(file).life() is None
    FileFirstStart(file).begin("0af1")
    assert FileFirstStart(file).life() == "0af1"
    FileFirstStart(file).finish()
    assert FileFirstStart(file).life() == ""


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"The memory of limits was begun. Without this file the next start takes Redis for a new one.\n",
        b"The memory of limits is being begun in the life ",
        b"The memory of limits is being begun in the life  of Redis.\n",
    ],
)
def test_what_a_file_does_not_say_in_full_counts_as_a_start_long_ago(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert FileFirstStart(file).life() == ""


def test_a_file_that_cannot_be_read_is_no_first_start(file: Path) -> None:
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        FileFirstStart(file).life()
