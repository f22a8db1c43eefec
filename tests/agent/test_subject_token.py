from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.agent.subject_token import read_subject_token
from aegis_authz.agent.tokens import TokenFault


def test_a_token_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("aa.bb.cc\n", "utf-8")
    assert read_subject_token(path) == "aa.bb.cc"
    path.write_text("dd.ee.ff", "utf-8")
    assert read_subject_token(path) == "dd.ee.ff"


@pytest.mark.parametrize(
    "content", [b"", b"secret", b"secret.b", b"a.b.secret d", b"a.b.\xff", b"a.b.c.d", b"a." + b"b" * 20_000 + b".c"]
)
def test_what_is_no_token_is_refused_by_the_name_of_its_file_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(TokenFault) as fault:
        read_subject_token(path)
    assert str(fault.value) == f"{path}: is not one signed token (JWT)"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TokenFault, match="No such file"):
        read_subject_token(tmp_path / "token")
    with pytest.raises(TokenFault, match="Is a directory"):
        read_subject_token(tmp_path)
