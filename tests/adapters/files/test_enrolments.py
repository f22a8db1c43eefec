from __future__ import annotations

import stat
from pathlib import Path

import pytest

from aegis_authz.adapters.files.enrolments import FileEnrolments
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import EnrolmentsFault
from tests.support.token_requests import private_key

AGENT = Scope("acme", "emea", "payer")
RAW = private_key(b"k").public_key().public_bytes_raw()
ENROLLED = Enrolled((Invitation("a" * 64, AGENT, "ann", Epoch(5.0)),), (EnrolledKey(AGENT, RAW, Epoch(4.0), "bob"),))


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "enrolled.json"
    assert FileEnrolments(path).current == NOBODY_ENROLLED
    FileEnrolments(path).replace(ENROLLED)
    assert FileEnrolments(path).current == ENROLLED
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_cannot_be_kept_leaves_all_as_it_was(tmp_path: Path) -> None:
    enrolments = FileEnrolments(tmp_path / "nowhere" / "enrolled.json")
    with pytest.raises(EnrolmentsFault, match="No such file"):
        enrolments.replace(ENROLLED)
    assert enrolments.current == NOBODY_ENROLLED


@pytest.mark.parametrize("text", ["", "{}", '{"invitations": [], "keys": [{}]}', '{"invitations": 1, "keys": []}'])
def test_a_file_that_is_not_understood_is_not_taken_for_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "enrolled.json"
    path.write_text(text)
    with pytest.raises(EnrolmentsFault, match="cannot be read"):
        FileEnrolments(path)
