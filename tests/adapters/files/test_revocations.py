from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.adapters.files.revocations import FileRevocationList
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import RevocationListFault

TENANT = Revocation(Revoked(RevokedKind.TENANT, "acme", "emea", ""), "ann of finance", Epoch(5.5))


def test_what_is_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "revoked.json"
    assert FileRevocationList(path).current == ()
    FileRevocationList(path).replace([TENANT])
    assert FileRevocationList(path).current == (TENANT,)


def test_what_cannot_be_kept_leaves_all_as_it_was(tmp_path: Path) -> None:
    revoked = FileRevocationList(tmp_path / "nowhere" / "revoked.json")
    with pytest.raises(RevocationListFault, match="No such file"):
        revoked.replace([TENANT])
    assert revoked.current == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"revoked": [{"mark": "x", "by": "a", "at": 1}]}'])
def test_a_file_that_is_not_understood_is_not_taken_for_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "revoked.json"
    path.write_text(text)
    with pytest.raises(RevocationListFault, match="cannot be read"):
        FileRevocationList(path)
