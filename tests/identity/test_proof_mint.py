"""What the agent's side makes is what the mesh takes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.proof import ProvenRequest, read_proof, token_hash
from aegis_authz.identity.proof_mint import target_uri
from tests.support.proven_calls import AGENT, BODY, MINT, NOW, TARGET, TOKEN


@pytest.mark.parametrize("body", [b"", BODY])
def test_what_is_minted_is_taken(body: bytes) -> None:
    proof = MINT.mint("POST", TARGET, TOKEN, body, NOW, "j-1")
    request = ProvenRequest("POST", (TARGET,), body)
    assert read_proof(proof, MINT.thumbprint, token_hash(TOKEN), request, NOW, 5).jti == "j-1"


@given(st.floats(1, 2**33), st.floats(0, 59.9), st.binary(max_size=64), st.text(min_size=1, max_size=60))
def test_whatever_the_clock_and_the_body_a_proof_is_never_from_the_future(
    now: float, age: float, body: bytes, jti: str
) -> None:
    proof = MINT.mint("PUT", TARGET, TOKEN, body, now, jti)
    read = read_proof(proof, MINT.thumbprint, token_hash(TOKEN), ProvenRequest("PUT", (TARGET,), body), now + age, 0)
    assert read.issued_at <= now
    assert read.jti == jti


def test_the_thumbprint_is_that_of_the_key() -> None:
    assert MINT.thumbprint == thumbprint(AGENT.public_key().public_bytes_raw())


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://API.Bank.example:80/v1?a=1#top", "http://api.bank.example/v1?a=1"),
        ("HTTPS://api.bank.example:443", "https://api.bank.example/"),
        ("http://api.bank.example:443/", "http://api.bank.example:443/"),
        ("http://user:secret@api.bank.example./x?", "http://api.bank.example/x"),
        ("http://[2001:DB8::1]:9/%7Ea//b?x=%20+y", "http://[2001:db8::1]:9/%7Ea//b?x=%20+y"),
    ],
)
def test_a_url_has_one_spelling(url: str, target: str) -> None:
    assert target_uri(url) == target
    assert target_uri(target) == target


@pytest.mark.parametrize("url", ["", "/v1", "//host/v1", "ftp://host/", "http:///v1", "http://host:99999/"])
def test_what_is_no_absolute_url_has_no_target(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        target_uri(url)


def test_an_agent_needs_cryptography_and_no_package_more() -> None:
    script = (
        "import sys; import aegis_authz.identity.proof_mint; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'nacl', 'jwt', 'orjson', 'pydantic', 'grpc'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
