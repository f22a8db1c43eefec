"""The file of enrolments of versions of before, as they wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_authz.adapters.files.enrolments import read_enrolments
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import EnrolmentsFault
from tests.support.token_requests import private_key, public_jwk

AGENT = Scope("acme", "emea", "payer")
RAW = private_key(b"k").public_key().public_bytes_raw()
ENROLLED = Enrolled((Invitation("a" * 64, AGENT, "ann", Epoch(5.0)),), (EnrolledKey(AGENT, RAW, Epoch(4.0), "bob"),))


def write_former(path: Path) -> None:
    """Write ENROLLED as a control plane of before did."""
    invitation = {"digest": "a" * 64, "agent": str(AGENT), "by": "ann", "expires_at": 5.0}
    key = {"agent": str(AGENT), "jwk": public_jwk(private_key(b"k")), "enrolled_at": 4.0, "invited_by": "bob"}
    path.write_text(json.dumps({"invitations": [invitation], "keys": [key]}))


def test_what_was_kept_is_read(tmp_path: Path) -> None:
    path = tmp_path / "enrolled.json"
    assert read_enrolments(path) == NOBODY_ENROLLED
    write_former(path)
    assert read_enrolments(path) == ENROLLED


@pytest.mark.parametrize("text", ["", "{}", '{"invitations": [], "keys": [{}]}', '{"invitations": 1, "keys": []}'])
def test_a_file_that_is_not_understood_is_not_taken_for_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "enrolled.json"
    path.write_text(text)
    with pytest.raises(EnrolmentsFault, match="cannot be read"):
        read_enrolments(path)
