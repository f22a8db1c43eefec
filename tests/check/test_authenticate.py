"""Who sends a request: which credentials are taken, in which way, and that exactly one is."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.core.breaker import NO_BREAKERS
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.identity import Identity, Proof, Way
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.price import NO_PRICES
from aegis_authz.core.reason import Reason
from aegis_authz.core.record_terms import NO_RECORD_RULES
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import NO_AGENTS, AgentKey, Registration, Registry
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.telemetry_terms import NO_TELEMETRY_RULES
from aegis_authz.core.units import Epoch
from aegis_authz.identity.proof_mint import ProofMint
from aegis_authz.wire.http.call import HttpCall, Tunnel
from tests.support.grants import grant_claim
from tests.support.proven_calls import BODY, MINT, NOW, STRANGER, TARGET, TOKEN, TRUST, bound_token, signed
from tests.support.proven_calls import claims as proof_claims
from tests.support.proven_calls import header as proof_header

BANK = Tool("bank", "api.bank.example", None, "http://127.0.0.1:9001", (), "", "", None, False, False, NO_INTERFACE)
SNAPSHOT = Snapshot(
    "r1",
    Catalogue.of((BANK,)),
    TRUST,
    NO_AGENTS,
    "",
    frozenset(),
    None,
    {},
    None,
    {},
    NO_BREAKERS,
    NO_PRICES,
    frozenset(),
    "",
    None,
    NO_TELEMETRY_RULES,
    NO_RECORD_RULES,
)
DEFAULT = Acceptance(frozenset({Way.TOKEN, Way.BOUND}), {})
ONCE = bound_token(cnf=None)


def new_id() -> str:
    return secrets.token_hex(8)


def call(*, body: bytes = BODY, headers: dict[str, tuple[str, ...]] | None = None, **changes: Any) -> HttpCall:
    call_ = HttpCall(
        request_id="r",
        method="POST",
        scheme="http",
        host="api.bank.example",
        port=None,
        path="/v1/payments",
        query="dry=1",
        headers=headers or {},
        body=body,
        source="127.0.0.1",
        tool_hint="",
        route="",
        listener="forward",
        principal="",
        over_tls=False,
    )
    return replace(call_, **changes)


def proof(target: str = TARGET, token: str = TOKEN, body: bytes = BODY, method: str = "POST") -> str:
    return MINT.mint(method, target, token, body, NOW, secrets.token_hex(8))


def with_proof(*proofs: str, token: str = TOKEN, **changes: Any) -> HttpCall:
    return call(headers={"x-aegis-token": (token,), "x-aegis-proof": proofs}, **changes)


def identify(http: HttpCall, acceptance: Acceptance = DEFAULT) -> Identity:
    return Authenticator(acceptance, new_id).identify(http, SNAPSHOT, NOW)


def reason_of(http: HttpCall, acceptance: Acceptance = DEFAULT) -> Reason:
    with pytest.raises(Refused) as refused:
        identify(http, acceptance)
    return refused.value.reason


def test_a_token_that_is_good_once_needs_no_proof() -> None:
    identity = identify(call(headers={"x-aegis-token": (ONCE,)}))
    assert (identity.way, identity.proof, identity.jti) == (Way.TOKEN, None, "t-1")
    assert identity.spending.names == ("aegis", "t-1")


@pytest.mark.parametrize("name", ["x-aegis-token", "proxy-authorization"])
def test_a_bound_token_goes_in_either_header_and_spends_its_proof(name: str) -> None:
    value = TOKEN if name == "x-aegis-token" else f"Bearer {TOKEN}"
    identity = identify(call(headers={name: (value,), "x-aegis-proof": (signed(proof_header(), proof_claims()),)}))
    assert identity.way is Way.BOUND
    assert identity.proof == Proof("p-1", MINT.thumbprint, NOW - 1, 65)
    assert (identity.jti, identity.issued_at, identity.key_id) == ("t-1", NOW - 100, "kid-1")
    assert identity.spending.names == ("aegis", MINT.thumbprint, "p-1")
    assert (identity.spending.issued_at, identity.spending.life) == (NOW - 1, 65)


def test_the_session_of_a_token_is_known() -> None:
    token = bound_token(sid="s-1")
    assert identify(with_proof(proof(token=token), token=token)).session == "s-1"


def test_a_bound_token_alone_is_refused() -> None:
    assert reason_of(call(headers={"x-aegis-token": (TOKEN,)})) is Reason.PROOF_MISSING


def test_a_proof_beside_a_token_that_needs_none_is_one_credential_too_many() -> None:
    assert reason_of(with_proof(proof(token=ONCE), token=ONCE)) is Reason.CREDENTIAL_AMBIGUOUS


def test_a_proof_without_a_token_proves_nothing() -> None:
    assert reason_of(call(headers={"x-aegis-proof": (proof(),)})) is Reason.CREDENTIAL_MISSING


def test_two_proofs_or_two_tokens_are_ambiguous() -> None:
    assert reason_of(with_proof(proof(), proof())) is Reason.CREDENTIAL_AMBIGUOUS
    same = proof()
    assert reason_of(with_proof(same, same)) is Reason.CREDENTIAL_AMBIGUOUS
    both = {"x-aegis-token": (TOKEN,), "proxy-authorization": (f"Bearer {TOKEN}",), "x-aegis-proof": (proof(),)}
    assert reason_of(call(headers=both)) is Reason.CREDENTIAL_AMBIGUOUS


def test_a_proof_is_for_its_token_its_method_its_target_and_its_body() -> None:
    another = bound_token(jti="t-2")
    assert reason_of(with_proof(proof(token=another))) is Reason.PROOF_MISMATCH
    assert identify(with_proof(proof(token=another), token=another)).jti == "t-2"
    assert reason_of(with_proof(proof(method="PUT"))) is Reason.PROOF_MISMATCH
    assert reason_of(with_proof(proof(), query="")) is Reason.PROOF_MISMATCH
    assert reason_of(with_proof(proof(), path="/v1/refunds")) is Reason.PROOF_MISMATCH
    assert reason_of(with_proof(proof(), host="api.bank.evil")) is Reason.PROOF_MISMATCH
    assert reason_of(with_proof(proof(), port=8080)) is Reason.PROOF_MISMATCH
    assert reason_of(with_proof(proof(), body=BODY + b" ")) is Reason.PROOF_MISMATCH
    assert identify(with_proof(proof(body=b""), body=b"")).way is Way.BOUND


def test_on_a_reverse_route_the_target_is_what_the_client_wrote_or_the_tools_own() -> None:
    reverse = {"host": "gateway", "port": 9081, "path": "/bank/v1/payments", "tool_hint": "bank"}
    for target in ("http://gateway:9081/bank/v1/payments?dry=1", TARGET):
        assert identify(with_proof(proof(target), **reverse)).way is Way.BOUND
    for target in ("http://gateway:9081/v1/payments?dry=1", "http://api.bank.example/bank/v1/payments?dry=1"):
        assert reason_of(with_proof(proof(target), **reverse)) is Reason.PROOF_MISMATCH


def test_a_stolen_token_is_of_no_use_with_another_key() -> None:
    thief = type(MINT)(STRANGER).mint("POST", TARGET, TOKEN, BODY, NOW, "j")
    assert reason_of(with_proof(thief)) is Reason.PROOF_MISMATCH


@pytest.mark.parametrize(
    "cnf",
    [
        {},
        "key",
        {"jkt": ""},
        {"jkt": MINT.thumbprint + "="},
        {"jkt": MINT.thumbprint[:-1]},
        {"jkt": MINT.thumbprint[:-1] + "1"},  # bits that are not zero
        {"jkt": 5},
        {"jkt": "\u00e9" * 43},
        {"jkt": MINT.thumbprint, "jwk": {}},
        {"x5t#S256": MINT.thumbprint},
        [MINT.thumbprint],
    ],
    ids=str,
)
def test_a_confirmation_that_is_not_exactly_a_thumbprint_refuses_the_token(cnf: Any) -> None:
    token = bound_token(cnf=cnf)
    assert reason_of(with_proof(proof(token=token), token=token)) is Reason.CREDENTIAL_MALFORMED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tools": {}}, Reason.GRANT_MALFORMED),
        ({"iat": NOW - 99}, Reason.GRANT_MALFORMED),
        ({"weekdays": [1]}, Reason.GRANT_UNSUPPORTED),
        ({"within": grant_claim()}, Reason.GRANT_WIDER),
        ({"exp": int(NOW)}, Reason.GRANT_EXPIRED),
        ({"depth": 1, "within": grant_claim(exp=int(NOW) - 1)}, Reason.GRANT_WIDER),
    ],
    ids=str,
)
def test_a_token_whose_grant_is_not_right_is_refused(changes: dict[str, Any], reason: Reason) -> None:
    token = bound_token(grant=grant_claim(**changes))
    assert reason_of(with_proof(proof(token=token), token=token)) is reason


def test_a_grant_comes_with_the_identity_and_ends_while_its_token_is_remembered() -> None:
    token = bound_token(grant=grant_claim(exp=int(NOW) + 10))
    http = with_proof(proof(token=token), token=token)
    authenticator = Authenticator(DEFAULT, lambda: "id")
    grant = authenticator.identify(http, SNAPSHOT, NOW).grant
    assert grant is not None
    assert grant.chain[0].tools == {"bank": {"pay": {"payee": ("Muster",)}}}
    with pytest.raises(Refused) as refused:
        authenticator.identify(http, SNAPSHOT, NOW + 10)
    assert refused.value.reason is Reason.GRANT_EXPIRED


def test_a_listener_takes_the_ways_it_is_set_to() -> None:
    once, bound = call(headers={"x-aegis-token": (ONCE,)}), with_proof(proof())
    strict = Acceptance(frozenset({Way.BOUND}), {"reverse": frozenset({Way.TOKEN})})
    assert reason_of(once, strict) is Reason.CREDENTIAL_NOT_ACCEPTED
    assert identify(bound, strict).way is Way.BOUND
    assert identify(replace(once, listener="reverse"), strict).way is Way.TOKEN
    assert reason_of(replace(bound, listener="reverse"), strict) is Reason.CREDENTIAL_NOT_ACCEPTED
    assert reason_of(replace(once, listener=""), strict) is Reason.CREDENTIAL_NOT_ACCEPTED


EVERY = Acceptance(frozenset(Way) - {Way.WORKLOAD}, {})
KEY = "agk_" + "k" * 43
SPIFFE = "spiffe://prod.example/ns/pay/sa/bot"
BOT = Scope("acme", "emea", "bot")
REGISTERED = replace(
    SNAPSHOT,
    agents=Registry.of(
        {
            BOT: Registration(
                frozenset(Way),
                (AgentKey(hashlib.sha256(KEY.encode()).hexdigest(), ("127.0.0.0/8", "10.0.0.0/8"), 0.0, None),),
                frozenset({SPIFFE}),
            )
        }
    ),
)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def keyed(*values: str, **changes: Any) -> HttpCall:
    return call(headers={"proxy-authorization": values}, **changes)


def refusal(http: HttpCall, acceptance: Acceptance = EVERY, snapshot: Snapshot = REGISTERED) -> Reason:
    with pytest.raises(Refused) as refused:
        Authenticator(acceptance, new_id).identify(http, snapshot, NOW)
    return refused.value.reason


@pytest.mark.parametrize("value", [f"Bearer {KEY}", basic("agent", KEY)])
def test_an_agent_key_is_taken_as_a_bearer_or_as_a_password_where_the_listener_takes_it(value: str) -> None:
    identity = Authenticator(EVERY, new_id).identify(keyed(value), REGISTERED, NOW)
    assert (identity.scope, identity.way) == (BOT, Way.AGENT_KEY)
    assert refusal(keyed(value), DEFAULT) is Reason.CREDENTIAL_NOT_ACCEPTED


def test_an_agent_key_comes_over_loopback_or_tls() -> None:
    assert refusal(keyed(f"Bearer {KEY}", source="10.1.2.3")) is Reason.CREDENTIAL_NOT_ACCEPTED
    assert Authenticator(EVERY, new_id).identify(
        keyed(f"Bearer {KEY}", source="10.1.2.3", over_tls=True), REGISTERED, NOW
    )


@pytest.mark.parametrize(
    "value",
    [
        basic("agent", "hunter2"),
        basic("root", KEY),
        basic("", KEY),
        basic("agent", TOKEN),
        "Basic !!!",
        "Basic " + base64.b64encode(b"agent:\xff").decode(),
        "Basic",
        "Digest x",
        f"agk {KEY}",
        "Bearer",
        "Bearer ",
    ],
)
def test_other_proxy_credentials_are_malformed(value: str) -> None:
    assert refusal(keyed(value)) is Reason.CREDENTIAL_MALFORMED


def test_an_agent_proves_itself_in_the_ways_that_are_registered_for_it() -> None:
    by_key = keyed(f"Bearer {KEY}")
    certified = call(
        headers={"x-forwarded-client-cert": (f"Hash={'a' * 64};URI={SPIFFE}",)}, principal=SPIFFE, over_tls=True
    )
    calls = {
        Way.TOKEN: call(headers={"x-aegis-token": (ONCE,)}),
        Way.BOUND: with_proof(proof()),
        Way.AGENT_KEY: by_key,
        Way.MTLS: certified,
    }
    entry = REGISTERED.agents.of_agent(BOT)
    for registered in calls:
        agents = Registry.of({BOT: replace(entry, ways=frozenset({registered}))})
        for way, http in calls.items():
            if way is registered:
                snapshot = replace(REGISTERED, agents=agents)
                assert Authenticator(EVERY, new_id).identify(http, snapshot, NOW).way is way
            else:
                refused = refusal(http, snapshot=replace(REGISTERED, agents=agents))
                assert refused is Reason.CREDENTIAL_NOT_ACCEPTED


def test_a_certificate_is_taken_where_the_listener_takes_it_and_ignored_elsewhere() -> None:
    headers = {"x-forwarded-client-cert": (f"Hash={'a' * 64};URI={SPIFFE}",)}
    http = call(headers=headers, principal=SPIFFE, over_tls=True)
    identity = Authenticator(EVERY, new_id).identify(http, REGISTERED, NOW)
    assert (identity.scope, identity.way, identity.key_id) == (BOT, Way.MTLS, "a" * 64)
    assert refusal(http, DEFAULT) is Reason.CREDENTIAL_MISSING
    both = replace(http, headers=headers | {"x-aegis-token": (ONCE,)})
    assert refusal(both) is Reason.CREDENTIAL_AMBIGUOUS
    assert Authenticator(DEFAULT, new_id).identify(both, REGISTERED, NOW).way is Way.TOKEN


def test_an_address_and_a_certificate_prove_nothing_where_a_gateway_says_them_that_is_none_of_ours() -> None:
    assert refusal(replace(keyed(f"Bearer {KEY}"), listener="")) is Reason.CREDENTIAL_NOT_ACCEPTED
    headers = {"x-forwarded-client-cert": (f"Hash={'a' * 64};URI={SPIFFE}",)}
    http = replace(call(headers=headers, principal=SPIFFE, over_tls=True), listener="")
    assert refusal(http) is Reason.CREDENTIAL_MISSING
    signed = replace(http, headers=headers | {"x-aegis-token": (ONCE,)})
    assert Authenticator(EVERY, new_id).identify(signed, REGISTERED, NOW).way is Way.TOKEN


def test_two_credentials_are_ambiguous_whatever_they_are() -> None:
    assert refusal(keyed(f"Bearer {KEY}", basic("agent", KEY))) is Reason.CREDENTIAL_AMBIGUOUS
    mixed = call(headers={"x-aegis-token": (ONCE,), "proxy-authorization": (f"Bearer {KEY}",)})
    assert refusal(mixed) is Reason.CREDENTIAL_AMBIGUOUS
    with_one = call(headers={"proxy-authorization": (f"Bearer {KEY}",), "x-aegis-proof": (proof(),)})
    assert refusal(with_one) is Reason.CREDENTIAL_AMBIGUOUS


def test_what_a_remembered_token_needs_is_a_proof_of_each_call() -> None:
    authenticator = Authenticator(DEFAULT, new_id)
    first, second = (authenticator.identify(with_proof(proof()), SNAPSHOT, NOW) for _ in range(2))
    assert first.spending != second.spending
    with pytest.raises(Refused) as refused:
        authenticator.identify(call(headers={"x-aegis-token": (TOKEN,)}), SNAPSHOT, NOW)
    assert refused.value.reason is Reason.PROOF_MISSING


def connect(target: str = "https://api.bank.example/", **changes: Any) -> HttpCall:
    """A CONNECT with a proof of its own."""
    credentials = {
        "proxy-authorization": (f"Bearer {TOKEN}",),
        "x-aegis-proof": (proof(target, body=b"", method="CONNECT"),),
    }
    tunnel = {"method": "CONNECT", "port": 443, "path": "", "query": "", "body": b""}
    return call(headers=credentials, **(tunnel | changes))


def inside(proof_text: str, **changes: Any) -> HttpCall:
    """A request inside a tunnel whose CONNECT showed a token and that proof."""
    credentials = {"proxy-authorization": (f"Bearer {TOKEN}",)}
    tunnel = Tunnel("API.bank.example:443", proof_text)
    return call(headers=credentials, scheme="https", tunnel=tunnel, **changes)


CONNECTED = proof("https://api.bank.example/", body=b"", method="CONNECT")


def test_the_proof_of_a_connect_is_of_its_host_and_port() -> None:
    assert identify(connect()).way is Way.BOUND
    assert identify(connect("https://api.bank.example:8443/", port=8443)).way is Way.BOUND
    for target in ("https://api.bank.example:8443/", "http://api.bank.example/", "https://evil.example/"):
        assert reason_of(connect(target)) is Reason.PROOF_MISMATCH


def test_inside_a_tunnel_the_proof_of_its_connect_counts_for_each_request_anew() -> None:
    one, two = identify(inside(CONNECTED)), identify(inside(CONNECTED))
    assert one.way is Way.BOUND
    assert one.spending.names != two.spending.names
    assert one.spending.issued_at == NOW


def test_inside_a_tunnel_it_counts_for_as_long_as_the_token() -> None:
    authenticator = Authenticator(DEFAULT, new_id)
    later = Epoch(NOW + 90)  # the proof itself is good for a minute
    assert authenticator.identify(inside(CONNECTED), SNAPSHOT, later).way is Way.BOUND
    with pytest.raises(Refused) as refused:
        authenticator.identify(inside(CONNECTED), SNAPSHOT, Epoch(NOW + 1000))
    assert refused.value.reason is Reason.CREDENTIAL_EXPIRED


def test_the_proof_of_another_connect_of_another_key_or_of_a_call_opens_nothing() -> None:
    assert reason_of(inside(proof("https://evil.example/", body=b"", method="CONNECT"))) is Reason.PROOF_MISMATCH
    assert reason_of(inside(proof())) is Reason.PROOF_MALFORMED  # it has the digest of a body
    assert reason_of(inside(proof("https://api.bank.example/", body=b"", method="GET"))) is Reason.PROOF_MISMATCH
    stolen = ProofMint(STRANGER).mint("CONNECT", "https://api.bank.example/", TOKEN, b"", NOW, "p")
    assert reason_of(inside(stolen)) is Reason.PROOF_MISMATCH


def test_the_proof_of_a_connect_that_others_could_read_on_its_way_counts_for_nothing_inside() -> None:
    assert reason_of(inside(CONNECTED, source="192.0.2.7")) is Reason.CREDENTIAL_NOT_ACCEPTED
    assert identify(inside(CONNECTED, source="192.0.2.7", over_tls=True)).way is Way.BOUND


@pytest.mark.parametrize(
    ("source", "counts"), [("10.231.77.9", True), ("10.231.78.9", False), ("", False), ("?", False)]
)
def test_it_counts_inside_where_nobody_sits_on_the_way(source: str, counts: bool) -> None:
    bridge = replace(DEFAULT, private_networks=(ip_network("10.231.77.0/24"), ip_network("fd77::/64")))
    authenticator = Authenticator(bridge, new_id)
    if counts:
        assert authenticator.identify(inside(CONNECTED, source=source), SNAPSHOT, NOW).way is Way.BOUND
        return
    with pytest.raises(Refused) as refused:
        authenticator.identify(inside(CONNECTED, source=source), SNAPSHOT, NOW)
    assert refused.value.reason is Reason.CREDENTIAL_NOT_ACCEPTED


def test_a_credential_inside_beside_that_of_the_connect_is_one_too_many() -> None:
    both = inside(CONNECTED)
    both = replace(both, headers={**both.headers, "x-aegis-token": (ONCE,)})
    assert reason_of(both) is Reason.CREDENTIAL_AMBIGUOUS


def test_without_a_proof_of_its_connect_a_bound_token_proves_nothing_inside() -> None:
    assert reason_of(inside("")) is Reason.PROOF_MISSING
