"""Listeners that stand for one agent: whose calls they are, and what is refused at them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.workload import Workload
from aegis_authz.core.breaker import NO_BREAKERS
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.price import NO_PRICES
from aegis_authz.core.reason import Reason
from aegis_authz.core.record_terms import NO_RECORD_RULES
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import Registration, Registry
from aegis_authz.core.revocation import marks_of
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.telemetry_terms import NO_TELEMETRY_RULES
from aegis_authz.wire.http.call import HttpCall
from tests.support.proven_calls import MINT, NOW, TOKEN, TRUST, bound_token

AGENT = Scope("acme", "emea", "bot")
AGENTS = Registry.of({AGENT: Registration(frozenset({Way.WORKLOAD}), (), frozenset())})
SNAPSHOT = Snapshot(
    "r1",
    Catalogue.of(()),
    TRUST,
    AGENTS,
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
EVERY = Acceptance(frozenset(Way) - {Way.WORKLOAD}, {})


@dataclass
class Tokens:
    """What a keeper holds, by script."""

    token: str | None = TOKEN
    discarded: list[str] = field(default_factory=list)

    def current(self) -> str:
        if self.token is None:
            raise Refused(Reason.WORKLOAD_UNAVAILABLE, "no token is held")
        return self.token

    def discard(self, token: str) -> None:
        self.discarded.append(token)


def call(listener: str = "pod", **changes: Any) -> HttpCall:
    headers: dict[str, tuple[str, ...]] = changes.pop("headers", {})
    http = HttpCall(
        request_id="r",
        method="POST",
        scheme="http",
        host="api.bank.example",
        port=None,
        path="/v1/payments",
        query="",
        headers=headers,
        body=b"{}",
        source="127.0.0.1",
        tool_hint="",
        route="",
        listener=listener,
        principal="",
        over_tls=False,
        values_of=lambda name: headers.get(name, ()),
    )
    return replace(http, **changes)


@dataclass
class Sidecar:
    """An authorizer whose listener `pod` stands for an agent."""

    tokens: Tokens = field(default_factory=Tokens)
    agent: Scope = AGENT
    ids: int = 0

    def __post_init__(self) -> None:
        self._authenticator = Authenticator(EVERY, self._new_id, {"pod": Workload(self.agent, self.tokens)})

    def identify(self, http: HttpCall, snapshot: Snapshot = SNAPSHOT, now: float = NOW) -> Identity:
        return self._authenticator.identify(http, snapshot, now)

    def refusal(self, http: HttpCall, snapshot: Snapshot = SNAPSHOT, now: float = NOW) -> Refused:
        with pytest.raises(Refused) as refused:
            self.identify(http, snapshot, now)
        return refused.value

    def _new_id(self) -> str:
        self.ids += 1
        return f"call-{self.ids}"


def test_a_call_without_any_credential_is_the_agents() -> None:
    identity = Sidecar().identify(call())
    assert (identity.scope, identity.way, identity.jti) == (AGENT, Way.WORKLOAD, "t-1")
    assert (identity.issuer, identity.key_id) == ("aegis", "kid-1")


def test_each_call_spends_an_id_of_its_own() -> None:
    sidecar = Sidecar()
    first, second = sidecar.identify(call()).spending, sidecar.identify(call()).spending
    assert first.names == ("aegis", MINT.thumbprint, "call-1")
    assert second.names == ("aegis", MINT.thumbprint, "call-2")
    assert first.issued_at == NOW


def test_its_token_its_key_its_agent_and_its_tenant_can_be_revoked() -> None:
    assert marks_of(Sidecar().identify(call())) == (
        "acme/emea/bot",
        "acme/emea",
        "acme/emea token t-1",
        f"acme/emea key {MINT.thumbprint}",
    )


def test_at_another_listener_nothing_stands_for_anybody() -> None:
    assert Sidecar().refusal(call("forward")).reason is Reason.CREDENTIAL_MISSING
    assert Sidecar().refusal(call("")).reason is Reason.CREDENTIAL_MISSING


@pytest.mark.parametrize(
    "headers",
    [
        {"x-aegis-token": (TOKEN,)},
        {"x-aegis-token": ("junk",)},
        {"x-aegis-token": ("",)},
        {"proxy-authorization": (f"Bearer {TOKEN}",)},
        {"proxy-authorization": ("Bearer agk_" + "k" * 43,)},
        {"x-aegis-proof": ("p",)},
    ],
)
def test_a_credential_beside_that_of_the_listener_is_ambiguous(headers: dict[str, tuple[str, ...]]) -> None:
    assert Sidecar().refusal(call(headers=headers)).reason is Reason.CREDENTIAL_AMBIGUOUS


def test_so_is_a_client_certificate_and_what_cannot_be_read_is_malformed() -> None:
    assert Sidecar().refusal(call(principal="spiffe://a/b")).reason is Reason.CREDENTIAL_AMBIGUOUS
    malformed = call(headers={"proxy-authorization": ("Digest x",)})
    assert Sidecar().refusal(malformed).reason is Reason.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("source", ["10.1.2.3", "192.168.0.1", "::ffff:10.1.2.3", "nonsense"])
def test_another_machine_is_not_the_workload(source: str) -> None:
    assert Sidecar().refusal(call(source=source)).reason is Reason.CREDENTIAL_NOT_ACCEPTED


@pytest.mark.parametrize("source", ["127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_is_and_so_is_a_unix_socket(source: str) -> None:
    assert Sidecar().identify(call(source=source)).way is Way.WORKLOAD
    assert Sidecar().identify(call(source="", over_socket=True)).way is Way.WORKLOAD


def test_who_came_from_nobody_knows_where_is_not_the_workload() -> None:
    refusal = Sidecar().refusal(call(source=""))
    assert (refusal.reason, refusal.detail) == (Reason.CREDENTIAL_NOT_ACCEPTED, "a call from an unknown address")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ("http://evil.example",)},
        {"origin": ("null",)},
        {"sec-fetch-site": ("cross-site",)},
        {"sec-fetch-site": ("none", "same-origin")},
    ],
)
def test_a_web_page_is_not_the_workload(headers: dict[str, tuple[str, ...]]) -> None:
    refusal = Sidecar().refusal(call(headers=headers))
    assert (refusal.reason, refusal.detail) == (Reason.CREDENTIAL_NOT_ACCEPTED, "a call from a web page")


def test_a_person_who_types_the_address_is_no_page() -> None:
    assert Sidecar().identify(call(headers={"sec-fetch-site": ("none",)})).way is Way.WORKLOAD


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "10.1.2.3"},
        {"source": "fd77::1"},
        {"headers": {"origin": ("https://shop.example",), "sec-fetch-site": ("cross-site",)}},
    ],
)
def test_what_rules_led_to_the_listener_is_the_agents_from_its_devices_address_and_its_browser(
    changes: dict[str, Any],
) -> None:
    assert Sidecar().identify(call(is_redirected=True, **changes)).scope == AGENT


def test_what_rules_led_to_the_listener_shows_no_credential_either() -> None:
    led = call(is_redirected=True, headers={"x-aegis-token": (TOKEN,)})
    assert Sidecar().refusal(led).reason is Reason.CREDENTIAL_AMBIGUOUS
    assert Sidecar().refusal(call("forward", is_redirected=True)).reason is Reason.CREDENTIAL_MISSING
    unknown = call(is_redirected=True, source="")
    assert Sidecar().refusal(unknown).reason is Reason.CREDENTIAL_NOT_ACCEPTED


def test_without_a_token_the_call_is_refused_for_its_own_reason() -> None:
    assert Sidecar(Tokens(None)).refusal(call()).reason is Reason.WORKLOAD_UNAVAILABLE


def test_a_token_that_does_not_verify_is_refused_and_given_up() -> None:
    for token in ("junk", bound_token(iss="another"), bound_token(exp=NOW - 1)):
        tokens = Tokens(token)
        refusal = Sidecar(tokens).refusal(call())
        assert (refusal.reason, tokens.discarded) == (Reason.WORKLOAD_UNAVAILABLE, [token])


def test_a_token_of_the_future_is_refused_and_kept() -> None:
    tokens = Tokens(bound_token(iat=NOW + 60, nbf=NOW + 60, exp=NOW + 120))
    assert Sidecar(tokens).refusal(call()).reason is Reason.WORKLOAD_UNAVAILABLE
    assert tokens.discarded == []


def test_a_token_of_another_agent_is_refused_whatever_the_issuer_says() -> None:
    tokens = Tokens()
    sidecar = Sidecar(tokens, Scope("acme", "emea", "another-agent"))
    assert sidecar.refusal(call()).reason is Reason.WORKLOAD_UNAVAILABLE
    assert tokens.discarded == [TOKEN]


def test_a_token_that_is_bound_to_no_key_is_refused() -> None:
    assert Sidecar(Tokens(bound_token(cnf=None))).refusal(call()).reason is Reason.WORKLOAD_UNAVAILABLE


def test_a_remembered_token_ends_when_it_ends_and_when_its_issuer_is_trusted_no_more() -> None:
    sidecar = Sidecar()
    sidecar.identify(call())
    assert sidecar.refusal(call(), now=NOW + 3600).reason is Reason.WORKLOAD_UNAVAILABLE
    distrusted = replace(SNAPSHOT, trust=replace(TRUST, token_keys={}))
    assert sidecar.refusal(call(), distrusted).reason is Reason.WORKLOAD_UNAVAILABLE


def test_the_way_must_be_registered_for_the_agent() -> None:
    for ways in (frozenset({Way.TOKEN, Way.BOUND}), frozenset({Way.AGENT_KEY})):
        agents = Registry.of({AGENT: Registration(ways, (), frozenset())})
        refusal = Sidecar().refusal(call(), replace(SNAPSHOT, agents=agents))
        assert refusal.reason is Reason.CREDENTIAL_NOT_ACCEPTED
    unregistered = replace(SNAPSHOT, agents=Registry.of({}))
    assert Sidecar().refusal(call(), unregistered).reason is Reason.CREDENTIAL_NOT_ACCEPTED


def test_no_refusal_holds_the_token() -> None:
    secret = bound_token(exp=NOW - 1)
    refusal = Sidecar(Tokens(secret)).refusal(call())
    assert secret not in refusal.detail
    assert hashlib.sha256(secret.encode()).hexdigest() not in refusal.detail
