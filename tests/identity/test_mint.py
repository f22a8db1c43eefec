from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.approval import ApprovalProof, ApprovalRequest
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Trust
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.mint import mint_override, mint_token
from aegis_authz.identity.token import read_agent_token, read_override_token

NOW = 1_790_000_000.123456
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RAW = KEY.public_key().public_bytes_raw()
TRUST = Trust(
    issuer="aegis",
    audience="aegis-mesh",
    token_keys={thumbprint(RAW): RAW},
    approval_keys={thumbprint(RAW): RAW},
    max_token_life=300,
    clock_skew=5,
)
HELD = ApprovalRequest(
    id="apr_0a1b",
    scope=Scope("acme", "emea", "finance-agent"),
    tool="stripe-payments",
    action="create_payment",
    parameters={"amount": 7000},
    digest="d" * 64,
    revision="r1",
    policies=("finance",),
    groups=(),
    requested_at=NOW - 10,
    expires_at=NOW + 890,
    besides={"request": "POST api.stripe.example/v1/payments"},
    basis="b1",
    decision_id="d-1",
    approvals=1,
    confirm=(),
    notify=(),
    proof=ApprovalProof.ANY,
    session="",
)


def minted(
    *,
    now: float = NOW,
    ttl: float = 60,
    org: str = "acme",
    agent: str = "finance-agent",
    jti: str = "j1",
    actors: tuple[str, ...] = (),
) -> str:
    return mint_token(
        KEY,
        issuer="aegis",
        audience="aegis-mesh",
        scope=Scope(org, "emea", agent),
        now=now,
        ttl=ttl,
        jti=jti,
        actors=actors,
    )


def test_a_minted_token_is_read_back_as_the_same_identity() -> None:
    identity = read_agent_token(minted(actors=("acme/emea/planner", "user:ann")), TRUST, NOW)
    assert str(identity.scope) == "acme/emea/finance-agent"
    assert identity.actors == ("acme/emea/planner", "user:ann")
    assert identity.jti == "j1"
    assert identity.key_id == thumbprint(RAW)


def test_its_times_have_milliseconds_and_never_lie_in_the_future() -> None:
    identity = read_agent_token(minted(ttl=1.5), TRUST, NOW)
    assert identity.issued_at == 1_790_000_000.123
    assert identity.expires_at == 1_790_000_001.623


def test_its_header_names_type_key_and_algorithm_and_nothing_else() -> None:
    assert jwt.get_unverified_header(minted()) == {"alg": "EdDSA", "typ": "aegis+jwt", "kid": thumbprint(RAW)}


def test_pyjwt_verifies_it_too() -> None:
    claims = jwt.decode(
        minted(),
        KEY.public_key(),
        ["EdDSA"],
        audience="aegis-mesh",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert claims["sub"] == "acme/emea/finance-agent"
    assert "act" not in claims


@given(st.floats(min_value=1.6e9, max_value=4e9), st.floats(min_value=1, max_value=300))
def test_no_rounding_makes_a_token_live_longer_than_asked(now: float, ttl: float) -> None:
    identity = read_agent_token(minted(now=now, ttl=ttl), TRUST, now)
    assert ttl - 0.003 <= identity.expires_at - identity.issued_at <= ttl


@given(st.floats(min_value=1.6e9, max_value=4e9))
def test_the_longest_life_is_accepted_at_any_time(now: float) -> None:
    read_agent_token(minted(now=now, ttl=300), TRUST, now)


@pytest.mark.parametrize("ttl", [0, 0.999, 300.001, -1, float("nan"), float("inf")])
def test_a_life_out_of_range_is_refused(ttl: float) -> None:
    with pytest.raises(ValueError, match="ttl"):
        minted(ttl=ttl)


@pytest.mark.parametrize("name", ["", "Acme", "a/b", "-a", "a\n", "a" * 64])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="org"):
        minted(org=name)
    with pytest.raises(ValueError, match="agent"):
        minted(agent=name)


def test_an_empty_jti_and_a_long_chain_are_refused() -> None:
    with pytest.raises(ValueError, match="jti"):
        minted(jti="")
    with pytest.raises(ValueError, match="actors"):
        minted(actors=("a",) * 6)
    with pytest.raises(ValueError, match="actor"):
        minted(actors=("",))


def override(held: ApprovalRequest, now: float) -> str:
    return mint_override(KEY, held, issuer="aegis", audience="aegis-mesh", now=now, jti="o1")


def test_an_override_binds_the_approval_its_call_and_its_agent() -> None:
    read = read_override_token(override(HELD, NOW), TRUST, NOW)
    assert (read.approval_id, str(read.scope), read.digest, read.basis) == (
        "apr_0a1b",
        "acme/emea/finance-agent",
        "d" * 64,
        "b1",
    )


def test_an_override_expires_with_its_approval() -> None:
    token = override(HELD, NOW)
    with pytest.raises(Refused) as refused:
        read_override_token(token, TRUST, HELD.expires_at)
    assert refused.value.reason is Reason.APPROVAL_EXPIRED


def test_no_override_is_minted_for_an_expired_approval() -> None:
    with pytest.raises(ValueError, match="expired"):
        override(HELD, HELD.expires_at)


def test_an_agent_token_is_no_override_and_an_override_no_agent_token() -> None:
    with pytest.raises(Refused):
        read_override_token(minted(), TRUST, NOW)
    with pytest.raises(Refused):
        read_agent_token(override(HELD, NOW), TRUST, NOW)
