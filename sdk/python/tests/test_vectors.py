"""sdk/vectors: what every SDK makes of one key, one moment and one call, to the byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_agent.key import AgentKey, target_uri
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.proof_mint import ProofMint

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "proofs.json").read_text("utf-8"))
KEY = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(VECTORS["key"]["d"] + "="))


@pytest.mark.parametrize("vector", VECTORS["proofs"], ids=lambda vector: str(vector["jti"]))
def test_a_proof_of_the_vectors_is_what_the_mint_makes(vector: dict[str, Any]) -> None:
    call = (vector["method"], target_uri(vector["url"]), vector["token"], vector["body"].encode("utf-8"))
    moment = (Epoch(vector["milliseconds"] / 1000), Jti(vector["jti"]))
    assert ProofMint(KEY).mint(*call, *moment) == vector["proof"]


def test_the_key_of_the_vectors_has_their_thumbprint() -> None:
    assert AgentKey(KEY).thumbprint == VECTORS["thumbprint"]


@pytest.mark.parametrize("url", VECTORS["targets"])
def test_a_url_of_the_vectors_has_their_target(url: str) -> None:
    assert target_uri(url) == VECTORS["targets"][url]


@pytest.mark.parametrize("url", VECTORS["no_targets"])
def test_what_is_no_url_of_a_call_has_no_target(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        target_uri(url)
