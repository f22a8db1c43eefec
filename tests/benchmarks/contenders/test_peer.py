from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.load.calls import Call, Signer
from benchmarks.contenders import peer
from benchmarks.contenders.documents import ALLOWED, FINANCE, REFUSED, payment, peer_data

HOUR = 3600.0


class Peer:
    """The peer's policy and data in an OPA that ends after each answer."""

    def __init__(self, opa: Path, folder: Path, signer: Signer) -> None:
        self._opa = opa
        self._folder = folder
        self.signer = signer

    def allows(self, call: Call, signer: Signer | None = None, age: float = 0.0) -> bool:
        """What it says to a call with a token signed so many seconds ago."""
        token = next((signer or self.signer).tokens("test", time.time() - age))
        return self.judges(call, {"x-aegis-token": token})

    def judges(self, call: Call, headers: Mapping[str, str]) -> bool:
        """What it says to a call with these headers."""
        http = {"method": call.method, "host": call.host, "path": call.path, "headers": headers}
        asked = {"attributes": {"request": {"http": http}}, "parsed_body": json.loads(call.body)}
        rego = Path(peer.__file__).with_name("peer.rego")
        documents = ["--data", str(rego), "--data", str(self._folder / "data.json")]
        command = [str(self._opa), "eval", *documents, "--stdin-input", "--format", "raw", "data.envoy.authz.allow"]
        ran = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
        return bool(json.loads(ran.stdout))


@pytest.fixture
def judge(opa_binary: Path, tmp_path: Path) -> Peer:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    (tmp_path / "data.json").write_text(json.dumps(peer_data(public, thumbprint(public), 2)), "utf-8")
    signer = Signer(key, issuer="aegis", audience="aegis-mesh", scope=FINANCE)
    return Peer(opa_binary, tmp_path, signer)


def test_the_peer_tells_the_two_calls_apart(judge: Peer) -> None:
    assert judge.allows(ALLOWED)
    assert not judge.allows(REFUSED)


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": -1},
        {"amount": "4200"},
        {"currency": "XXX"},
        {"reference": "INV-20481"},
        {"reference": "an INV-204817"},
    ],
)
def test_every_condition_counts_for_the_peer(judge: Peer, changed: dict[str, Any]) -> None:
    body = json.dumps({**json.loads(payment(4200)), **changed}).encode()
    assert not judge.allows(replace(ALLOWED, body=body))


@pytest.mark.parametrize("path", ["/v1/refunds", "/v1/payments/1"])
def test_the_peer_denies_every_other_address(judge: Peer, path: str) -> None:
    assert not judge.allows(replace(ALLOWED, path=path))


@pytest.mark.parametrize(
    "wrong", [{"issuer": "other"}, {"audience": "other"}, {"scope": replace(FINANCE, agent="unknown-agent")}]
)
def test_the_peer_reads_who_the_token_is_of_and_for(judge: Peer, wrong: dict[str, Any]) -> None:
    assert not judge.allows(ALLOWED, replace(judge.signer, **wrong))


def test_the_peer_takes_no_expired_token(judge: Peer) -> None:
    assert not judge.allows(ALLOWED, age=HOUR)


def test_the_peer_takes_no_token_of_another_key(judge: Peer) -> None:
    assert not judge.allows(ALLOWED, replace(judge.signer, key=Ed25519PrivateKey.generate()))


def test_the_peer_takes_no_call_without_a_token(judge: Peer) -> None:
    assert not judge.judges(ALLOWED, {})


def test_a_missing_peer_tells_how_to_have_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(peer.SETTING, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(peer.PeerMissing, match="git clone") as missing:
        peer.find_peer()
    assert peer.SETTING in str(missing.value)


def test_a_peer_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    binary = tmp_path / "plugin"
    binary.touch(0o700)
    monkeypatch.setenv(peer.SETTING, str(binary))
    assert peer.find_peer() == binary


def test_the_peer_is_started_where_it_is_asked(tmp_path: Path) -> None:
    data = peer_data(bytes(32), "key", 1)
    command = peer.command(Path("/plugin"), tmp_path, data, "127.0.0.1:4000", (4001, 4002))
    config = yaml.safe_load((tmp_path / "peer.yaml").read_text("utf-8"))
    assert config["plugins"]["envoy_ext_authz_grpc"]["addr"] == "127.0.0.1:4000"
    assert command[0] == "/plugin"
    assert str(tmp_path / "data.json") in command
