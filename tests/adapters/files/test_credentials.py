"""Credentials as files of a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.adapters.files.credentials import CredentialFolder
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

BOT = Scope("acme", "emea", "bot")


def kept(folder: Path, text: str | bytes, tenant: str = "emea", name: str = "stripe") -> Path:
    path = folder / "acme" / tenant / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(folder: Path | None, tenant: str = "emea", name: str = "stripe") -> str:
    with pytest.raises(Refused) as refusal:
        CredentialFolder(folder).secret(Scope("acme", tenant, "bot"), name)
    assert refusal.value.reason is Reason.OBLIGATION_UNMET
    return refusal.value.detail


def test_a_secret_is_read_without_the_line_end_editors_add(tmp_path: Path) -> None:
    kept(tmp_path, "sk_live_1\n")
    assert CredentialFolder(tmp_path).secret(BOT, "stripe") == "sk_live_1"


def test_a_secret_that_is_rotated_is_read_again(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path)
    path = kept(tmp_path, "old")
    assert folder.secret(BOT, "stripe") == "old"
    fresh = path.with_name("fresh")
    fresh.write_text("new")
    os.replace(fresh, path)
    assert folder.secret(BOT, "stripe") == "new"


def test_a_secret_that_is_taken_away_is_gone(tmp_path: Path) -> None:
    folder = CredentialFolder(tmp_path)
    path = kept(tmp_path, "old")
    folder.secret(BOT, "stripe")
    path.unlink()
    with pytest.raises(Refused):
        folder.secret(BOT, "stripe")


def test_a_tenant_has_its_own_secrets_alone(tmp_path: Path) -> None:
    kept(tmp_path, "theirs", tenant="apac")
    assert "acme/emea/stripe" in refused(tmp_path)


@pytest.mark.parametrize("name", ["..", "../apac/stripe", "a/b", "", "UPPER", "stripe\0"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    kept(tmp_path, "theirs", tenant="apac")
    refused(tmp_path, name=name)


def test_without_a_folder_there_is_none() -> None:
    refused(None)


@pytest.mark.parametrize("text", ["", " \n", "two\nlines", "caf\u00e9", b"\xff\xfe", "x" * 9000, "tab\there"])
def test_what_cannot_be_a_header_is_refused_and_not_told(tmp_path: Path, text: str | bytes) -> None:
    kept(tmp_path, text)
    detail = refused(tmp_path)
    assert "lines" not in detail
    assert "xxx" not in detail
