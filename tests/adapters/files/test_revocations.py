"""The file of what is revoked of versions of before, as they wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_authz.adapters.files.revocations import read_revocations
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import RevocationListFault

TENANT = Revocation(Revoked(RevokedKind.TENANT, "acme", "emea", ""), "ann of finance", Epoch(5.5))


def write_former(path: Path) -> None:
    """Write TENANT as a control plane of before did."""
    path.write_text(json.dumps({"revoked": [{"mark": "acme/emea", "by": "ann of finance", "at": 5.5}]}))


def test_what_was_kept_is_read(tmp_path: Path) -> None:
    path = tmp_path / "revoked.json"
    assert read_revocations(path) == ()
    write_former(path)
    assert read_revocations(path) == (TENANT,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"revoked": [{"mark": "x", "by": "a", "at": 1}]}'])
def test_a_file_that_is_not_understood_is_not_taken_for_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "revoked.json"
    path.write_text(text)
    with pytest.raises(RevocationListFault, match="cannot be read"):
        read_revocations(path)
