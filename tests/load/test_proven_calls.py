"""The calls of a load with a bound token: each proof is the one of its call."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Trust
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.proof import ProvenRequest, read_proof, token_hash
from aegis_authz.identity.token import read_agent_token
from aegis_authz.load.calls import DENIED, Call, Signer
from aegis_authz.load.proven_calls import BoundSigner

ISSUER, AGENT = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
RAW = ISSUER.public_key().public_bytes_raw()
TRUST = Trust("aegis", "aegis-mesh", {thumbprint(RAW): RAW}, {}, 300, 5)
BOUND = BoundSigner(Signer(ISSUER, "aegis", "aegis-mesh", Scope("acme", "emea", "bot")), AGENT)
CALLS = (Call("/a?x=1", host="API.example", body=b"{}"), Call("/b", DENIED, method="GET"))


def test_every_call_has_the_one_token_and_a_proof_that_is_taken_for_it(tmp_path: Path) -> None:
    now = time.time()
    BOUND.write_targets(tmp_path / "calls", "http://127.0.0.1:9080", CALLS, "run", now, 5)
    targets = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    assert [target["url"].rpartition("#")[2] for target in targets] == ["200", "403/POLICY_DENIED"] * 2 + ["200"]
    proofs = set()
    for target in targets:
        (token,), (proof,) = target["header"]["X-Aegis-Token"], target["header"]["X-Aegis-Proof"]
        addressed = "http://api.example/a?x=1" if "body" in target else "http://127.0.0.1:9080/b"
        request = ProvenRequest(target["method"], (addressed,), base64.b64decode(target.get("body", "")))
        bound_key = read_agent_token(token, TRUST, now).bound_key
        proofs.add(read_proof(proof, bound_key, token_hash(token), request, now, 0).jti)
    assert len(proofs) == 5


def test_no_calls_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no calls"):
        BOUND.write_targets(tmp_path / "calls", "http://127.0.0.1:1", (), "run", time.time(), 5)
