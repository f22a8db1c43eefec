"""How far a control plane of before had begun the memory of limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.files.first_start import read_first_start

BEGUN = b"The memory of limits is being begun in the life 0af1 of Redis.\n"
FINISHED = b"The memory of limits was begun. Without this file the next start takes Redis for a new one.\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "limits-begun"


def test_a_start_that_is_not_finished_names_the_life_it_was_begun_in(file: Path) -> None:
    assert read_first_start(file) is None
    file.write_bytes(BEGUN)
    assert read_first_start(file) == "0af1"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        FINISHED,
        b"The memory of limits is being begun in the life ",
        b"The memory of limits is being begun in the life  of Redis.\n",
    ],
)
def test_what_a_file_does_not_say_in_full_counts_as_a_start_long_ago(file: Path, text: bytes) -> None:
    file.write_bytes(text)
    assert read_first_start(file) == ""


def test_a_file_that_cannot_be_read_is_no_first_start(file: Path) -> None:
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        read_first_start(file)
