"""Registering an agent by a document: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from aegis_authz.commands.agents import add_agent
from aegis_authz.commands.faults import Rejected, Unable
from aegis_authz.core.scope import Scope
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.token_requests import private_key, public_jwk

AGENT, KEY = Scope("acme", "emea", "payer"), private_key(b"k")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("agents", "tools"):
        (tmp_path / name).mkdir()
    return tmp_path / "agents", tmp_path / "tools"


def key_file(folder: Path, content: str) -> Path:
    path = folder.parent / "key"
    path.write_text(content)
    return path


def test_a_key_as_pem_or_jwk_becomes_a_document(folders: tuple[Path, Path]) -> None:
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    written = add_agent(*folders, AGENT, key_file(folders[0], pem), "payments")
    shop = Scope("acme", "emea", "shop")
    also = add_agent(*folders, shop, key_file(folders[0], json.dumps(public_jwk(private_key(b"s")))), "")
    assert written == folders[0] / "agent-acme-emea-payer.yaml"
    loaded = load({path.name: path.read_text() for path in (written, also)}, {})
    entries = dict(loaded.identities.entries())
    assert (entries[AGENT].owner, entries[AGENT].keys) == ("payments", (KEY.public_key().public_bytes_raw(),))
    assert (entries[shop].owner, len(entries[shop].keys or ())) == (None, 1)


def test_nothing_is_overwritten_and_nothing_is_registered_twice(folders: tuple[Path, Path]) -> None:
    key = key_file(folders[0], json.dumps(public_jwk(KEY)))
    (folders[0] / "agent-acme-emea-payer.yaml").write_text("agents:\n  acme/emea/payer: {owner: me}\n")
    with pytest.raises(Rejected, match="is there already"):
        add_agent(*folders, AGENT, key, "")
    (folders[0] / "agent-acme-emea-payer.yaml").rename(folders[0] / "mine.yaml")
    with pytest.raises(PolicyErrors, match="is registered already"):
        add_agent(*folders, AGENT, key, "")
    assert [path.name for path in folders[0].iterdir()] == ["mine.yaml"]


def test_a_private_key_is_not_taken(folders: tuple[Path, Path]) -> None:
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(Unable, match="is a private key"):
        add_agent(*folders, AGENT, key_file(folders[0], pem), "")


@pytest.mark.parametrize("content", ["", "hello", "{", '{"kty": "oct"}'])
def test_what_is_no_key_is_not_taken(folders: tuple[Path, Path], content: str) -> None:
    with pytest.raises(Unable, match="key"):
        add_agent(*folders, AGENT, key_file(folders[0], content), "")
