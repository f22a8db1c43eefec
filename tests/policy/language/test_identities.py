"""Documents of agents and of trusted issuers: what can be written, and what is said of everything else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from aegis_authz.encoding.jwk import okp_jwk, thumbprint
from aegis_authz.policy.language.identities import AgentsDocument, TrustDocument
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()
X = okp_jwk(KEY.public_bytes_raw())["x"]
SHOP_KEY = Ed25519PrivateKey.from_private_bytes(b"o" * 32).public_key()
PEM = SHOP_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().replace("\n", "\n      ")
DIGEST = "sha256:" + "a" * 64
TRUST = """\
trust: ci
issuer: https://ci.example
audience: aegis
jwks: https://ci.example/keys
algorithms: [RS256]
subjects:
  - {claims: {sub: "repo:acme/shop"}, agent: acme/emea/shop}
"""


def agents(entry: str) -> AgentsDocument:
    (loaded,) = load({"a.yaml": f"agents:\n  acme/emea/payer: {entry}\n"}, {}).identities.agents
    return loaded.document


def trust(text: str = TRUST) -> TrustDocument:
    (loaded,) = load({"a.yaml": text}, {}).identities.trusts
    return loaded.document


def refusal(text: str) -> str:
    with pytest.raises(PolicyErrors) as caught:
        load({"a.yaml": text}, {})
    return str(caught.value)


def test_a_key_is_a_jwk_or_the_text_of_a_pem_file() -> None:
    raw = KEY.public_bytes_raw()
    x = f"{{kty: OKP, crv: Ed25519, x: {X}, kid: {thumbprint(raw)}}}"
    document = agents(f"\n    keys: [{x}]\n  acme/emea/shop:\n    keys:\n    - |\n      {PEM}")
    assert document.agents["acme/emea/payer"].keys == (raw,)
    assert document.agents["acme/emea/shop"].keys == (SHOP_KEY.public_bytes_raw(),)


def test_an_agent_takes_the_strong_ways_unless_a_document_says_otherwise() -> None:
    assert agents("{owner: payments}").agents["acme/emea/payer"].ways == ("bound", "token")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{keys: []}", "must not be empty"),
        ("{keys: [{kty: OKP, crv: Ed25519, x: AAAA}]}", "32 bytes"),
        (f"{{keys: [{{kty: OKP, crv: Ed25519, x: {X}, d: {X}}}]}}", "a JWK must have kty, crv and x"),
        (f"{{keys: [{{kty: OKP, crv: Ed25519, x: {X}, kid: other}}]}}", "kid is not the thumbprint"),
        ("{keys: [hello]}", "must be an Ed25519 public key"),
        ("{keys: [7]}", "must be an Ed25519 public key"),
        ("{ways: [password]}", "must be 'bound', 'token', 'workload', 'mtls' or 'agent_key'"),
        ("{ways: []}", "must not be empty"),
        ("{token_life: 301}", "must be at most 300"),
        ("{spiffe: [https://prod.example/x]}", "is not a SPIFFE id"),
        ("{spiffe: [spiffe://prod.example]}", "is not a SPIFFE id"),
        (f"{{agent_keys: [{{hash: {DIGEST}}}]}}", "ranges: is required"),
        ("{agent_keys: [{hash: hunter2, ranges: [10.0.0.0/8]}]}", "must be sha256: and 64"),
        (
            f"{{agent_keys: [{{hash: {DIGEST}, ranges: [10.0.0.0/8], from: 2026-02-01, until: 2026-01-01}}]}}",
            "until is before from",
        ),
        ("{owners: x}", "did you mean 'owner'?"),
    ],
)
def test_what_an_agent_cannot_be(entry: str, message: str) -> None:
    assert message in refusal(f"agents:\n  acme/emea/payer: {entry}\n")


@pytest.mark.parametrize("scope", ["acme/emea", "acme/*/payer", "acme/emea/Payer"])
def test_an_agent_is_named_in_full(scope: str) -> None:
    assert "org/tenant/agent" in refusal(f"agents:\n  {scope}: {{owner: x}}\n")


def test_an_issuer_is_trusted_for_one_audience_and_exact_claims() -> None:
    document = trust()
    assert (document.kind, document.reuse, document.max_life) == ("oidc", "never", 3600)
    assert document.subjects[0].claims == {"sub": "repo:acme/shop"}


def test_a_claim_may_fill_in_a_part_of_the_name() -> None:
    document = trust()
    assert document.subjects[0].filled_by == ()
    document = trust(TRUST.replace("agent: acme/emea/shop", 'agent: "acme/emea/{workload}"'))
    assert document.subjects[0].filled_by == ("workload",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jwks: https://ci.example/keys\n", "", "must have one of jwks"),
        (
            "jwks: https://ci.example/keys\n",
            "jwks: https://ci.example/keys\ndiscovery: true\n",
            "must have one of jwks",
        ),
        ("jwks: https://ci.example/keys\n", "discovery: false\n", "discovery is true or left out"),
        (
            "jwks: https://ci.example/keys\n",
            "token_review: production\n",
            "token_review is for tokens of kind kubernetes",
        ),
        ("https://ci.example/keys", "http://ci.example/keys", "must be https://"),
        ("https://ci.example/keys", "https://u:p@ci.example/keys", "must be https://"),
        ("https://ci.example/keys", "file:///etc/passwd", "must be https://"),
        ("RS256", "HS256", "must be 'RS256', 'PS256', 'ES256' or 'EdDSA'"),
        ("RS256", "none", "must be 'RS256', 'PS256', 'ES256' or 'EdDSA'"),
        ("algorithms: [RS256]\n", "", "algorithms: is required"),
        ('{sub: "repo:acme/shop"}', "{}", "must not be empty"),
        ('{sub: "repo:acme/shop"}', "{sub: [a]}", "must be a text, a number, true or false"),
        ("agent: acme/emea/shop", "agent: acme/shop", "must be org/tenant/agent"),
        ("agent: acme/emea/shop", 'agent: "acme/*/shop"', "must be org/tenant/agent"),
        ("agent: acme/emea/shop", 'agent: "acme/x{sub}/shop"', "must be org/tenant/agent"),
        ("issuer: https://ci.example\n", "issuer: https://ci.example\nkind: spiffe\n", "trust domain"),
        ("audience: aegis\n", "audience: aegis\nmax_life: 90000\n", "at most 86400"),
        ("audience: aegis\n", "", "audience: is required"),
    ],
)
def test_what_trust_cannot_be(old: str, new: str, message: str) -> None:
    assert old in TRUST
    assert message in refusal(TRUST.replace(old, new))


def test_keys_of_an_issuer_can_be_written_down_and_never_their_private_halves() -> None:
    written = TRUST.replace("jwks: https://ci.example/keys", f"keys: [{{kty: OKP, crv: Ed25519, x: {X}, kid: a}}]")
    assert trust(written.replace("RS256", "EdDSA")).keys is not None
    assert "private or secret" in refusal(written.replace("kid: a", "d: AA"))


def test_an_issuer_may_say_where_its_keys_are_when_it_is_a_url_to_ask() -> None:
    written = TRUST.replace("jwks: https://ci.example/keys", "discovery: true")
    assert trust(written).discovery is True
    local = written.replace("https://ci.example", "http://127.0.0.1:9000/realm")
    assert trust(local).discovery is True
    for issuer in ("http://ci.example", "ci", "https://ci.example?realm=1", "https://u:p@ci.example"):
        assert "must be https://" in refusal(
            written.replace("https://ci.example", issuer)
        ) or "without query" in refusal(written.replace("https://ci.example", issuer))
    spiffe = written.replace("issuer: https://ci.example", "issuer: spiffe://prod.example\nkind: spiffe")
    assert "no URL that discovery could start from" in refusal(spiffe)


def test_a_cluster_may_be_asked_about_tokens_of_its_service_accounts() -> None:
    written = TRUST.replace("jwks: https://ci.example/keys", "kind: kubernetes\ntoken_review: production")
    assert trust(written).token_review == "production"
