from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters.files.secret_file import SecretUnusable, is_exposed, read_secret

ROOT, OURS, STRANGER = 0, 10001, 10003


@pytest.mark.parametrize("mode", [0o400, 0o600])
@pytest.mark.parametrize("owner", [ROOT, OURS])
def test_a_file_for_its_owner_alone_is_a_secret(mode: int, owner: int) -> None:
    assert not is_exposed(mode, owner, OURS)


@pytest.mark.parametrize("mode", [0o440, 0o640])
def test_a_file_of_root_may_be_read_by_a_group(mode: int) -> None:
    assert not is_exposed(mode, ROOT, OURS)


@pytest.mark.parametrize("mode", [0o440, 0o640])
@pytest.mark.parametrize(("owner", "reader"), [(OURS, OURS), (STRANGER, OURS), (ROOT, ROOT)])
def test_no_other_file_may(mode: int, owner: int, reader: int) -> None:
    assert is_exposed(mode, owner, reader)


@pytest.mark.parametrize("mode", [0o620, 0o660, 0o644, 0o444, 0o604, 0o601, 0o610, 0o777])
@pytest.mark.parametrize("owner", [ROOT, OURS, STRANGER])
def test_what_a_group_can_write_or_everybody_can_use_is_none(mode: int, owner: int) -> None:
    assert is_exposed(mode, owner, OURS)


def test_a_missing_secret_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SecretUnusable, match=r"absent\.pem: no such file; .* aegis init"):
        read_secret(tmp_path / "absent.pem")


def test_what_is_read_is_bounded_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    path.write_bytes(b"0123456789")
    assert read_secret(path) == b"0123456789"
    assert read_secret(path, 4) == b"0123"


def test_a_pipe_is_no_secret(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SecretUnusable, match="not a regular file"):
        read_secret(tmp_path / "pipe")


def test_a_wide_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o644)
    path.write_text("sesame")
    with pytest.raises(SecretUnusable, match=r"mode 0644.*chmod 600") as refused:
        read_secret(path)
    assert "sesame" not in str(refused.value)
