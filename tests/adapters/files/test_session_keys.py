from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters.files.keys import KeyFolderError, load_session_keys, open_keys, rotate_session_keys
from aegis_authz.adapters.files.session_keys import SessionKeyFile
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

FIRST, SECOND = "11" * 32, "22" * 32


def write(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_folder_of_keys_has_one_for_sessions_that_only_the_owner_reads(tmp_path: Path) -> None:
    open_keys(tmp_path)
    path = tmp_path / "sessions.keys"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [len(key) for key in load_session_keys(path)] == [32]


def test_the_first_line_is_the_key_of_new_sessions(tmp_path: Path) -> None:
    path = write(tmp_path / "s", f"{FIRST}\n{SECOND}\n")
    assert SessionKeyFile(path).session_keys() == (bytes.fromhex(FIRST), bytes.fromhex(SECOND))


@pytest.mark.parametrize(
    "text", ["", "\n", FIRST[:-1], FIRST.upper().replace("1", "A"), f"{FIRST}\n" * 3, f"{FIRST},x"]
)
def test_what_is_not_one_or_two_keys_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFolderError) as fault:
        SessionKeyFile(write(tmp_path / "s", text))
    assert FIRST[:10] not in str(fault.value)


def test_keys_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s", FIRST)
    path.chmod(0o640)
    with pytest.raises(KeyFolderError, match="chmod 600"):
        SessionKeyFile(path)


def test_a_rotation_keeps_one_key_before_the_new_one(tmp_path: Path) -> None:
    path = write(tmp_path / "s", FIRST)
    keys = SessionKeyFile(path)
    rotate_session_keys(path)
    once = keys.session_keys()
    assert once[1:] == (bytes.fromhex(FIRST),)
    rotate_session_keys(path)
    assert keys.session_keys()[1:] == once[:1]
    assert path.stat().st_mode & 0o777 == 0o600


def test_while_the_file_is_gone_or_no_good_nothing_can_be_told_and_afterwards_all_can(tmp_path: Path) -> None:
    path = write(tmp_path / "s", FIRST)
    keys = SessionKeyFile(path)
    for spoil in (path.unlink, lambda: write(path, "no key"), lambda: os.chmod(write(path, SECOND), 0o644)):
        spoil()
        with pytest.raises(Refused) as refused:
            keys.session_keys()
        assert refused.value.reason is Reason.INTERNAL_FAULT
    write(path, SECOND)
    assert keys.session_keys() == (bytes.fromhex(SECOND),)
