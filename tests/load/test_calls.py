from __future__ import annotations

import base64
import json
from itertools import islice
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Trust
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.token import read_agent_token
from aegis_authz.load.calls import DENIED, Call, Due, Signer, due_of, mixed, url_of, write_targets

NOW = 1_800_000_000.0
BASE = "http://127.0.0.1:8080"


@pytest.fixture
def signer() -> Signer:
    return Signer(Ed25519PrivateKey.generate(), "aegis", "aegis-mesh", Scope("acme", "emea", "finance-agent"), ttl=60)


def trust(signer: Signer) -> Trust:
    raw = signer.key.public_key().public_bytes_raw()
    return Trust("aegis", "aegis-mesh", {thumbprint(raw): raw}, {}, 300, 5)


def test_every_token_is_one_the_mesh_accepts_and_has_an_id_of_its_own(signer: Signer) -> None:
    read = [read_agent_token(token, trust(signer), NOW) for token in islice(signer.tokens("run", NOW), 50)]
    assert {str(identity.scope) for identity in read} == {"acme/emea/finance-agent"}
    assert {identity.expires_at for identity in read} == {NOW + 60}
    assert len({identity.jti for identity in read}) == 50


def test_two_streams_share_no_token(signer: Signer) -> None:
    first, second = (set(islice(signer.tokens(run, NOW), 20)) for run in ("one", "two"))
    assert first.isdisjoint(second)


def test_the_key_stays_out_of_what_is_printed(signer: Signer) -> None:
    assert "key" not in repr(signer)


def test_a_name_that_cannot_be_one_is_refused() -> None:
    signer = Signer(Ed25519PrivateKey.generate(), "aegis", "aegis-mesh", Scope("ACME", "emea", "finance-agent"))
    with pytest.raises(ValueError, match="org 'ACME'"):
        signer.tokens("run", NOW)


def test_a_target_is_what_vegeta_reads(tmp_path: Path) -> None:
    call = Call("/v1/payments", host="api.stripe.example", body=b'{"amount":10}')
    assert write_targets(tmp_path / "t", BASE, [call], ["abc"]) == 1
    assert json.loads((tmp_path / "t").read_text()) == {
        "method": "POST",
        "url": "http://127.0.0.1:8080/v1/payments#200",
        "header": {
            "Content-Type": ["application/json"],
            "Host": ["api.stripe.example"],
            "X-Aegis-Token": ["abc"],
        },
        "body": base64.b64encode(b'{"amount":10}').decode(),
    }


def test_there_is_a_target_for_each_token_and_one_in_so_many_is_due_a_denial(tmp_path: Path) -> None:
    calls = mixed(Call("/pay"), Call("/pay", DENIED), one_in=4)
    assert write_targets(tmp_path / "t", BASE, calls, map(str, range(1, 11))) == 10
    targets = [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()]
    assert [target["header"]["X-Aegis-Token"] for target in targets] == [[str(n)] for n in range(1, 11)]
    assert [due_of(target["url"]).status for target in targets] == [200, 200, 200, 403, 200, 200, 200, 403, 200, 200]


def test_an_empty_token_sends_none(tmp_path: Path) -> None:
    write_targets(tmp_path / "t", BASE, [Call("/", headers={})], [""])
    assert json.loads((tmp_path / "t").read_text())["header"] == {}


def test_no_calls_are_no_load(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no calls"):
        write_targets(tmp_path / "t", BASE, [], ["a"])


@pytest.mark.parametrize("due", [Due(200), DENIED, Due(403)])
def test_what_is_due_travels_in_the_url(due: Due) -> None:
    assert due_of(url_of(BASE, Call("/pay?a=1", due))) == due


def test_a_url_of_somebody_else_says_nothing() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        due_of("http://127.0.0.1/pay")
