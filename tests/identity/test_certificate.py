"""Client certificates: the agent of a SPIFFE id."""

from __future__ import annotations

import pytest

from aegis_authz.core.identity import Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import Registration, Registry
from aegis_authz.core.scope import Scope
from aegis_authz.identity.certificate import read_certificate

BOT = Scope("acme", "emea", "bot")
SPIFFE = "spiffe://prod.example/ns/pay/sa/bot"
REGISTRY = Registry.of({BOT: Registration(frozenset({Way.MTLS}), (), frozenset({SPIFFE}))})


def test_a_certificate_is_its_agents() -> None:
    identity = read_certificate(SPIFFE, "f" * 64, REGISTRY, 5.0, "j")
    assert (identity.scope, identity.way, identity.issuer) == (BOT, Way.MTLS, "spiffe://prod.example")
    assert (identity.key_id, identity.jti) == ("f" * 64, "j")


@pytest.mark.parametrize("spiffe_id", [SPIFFE + "/", SPIFFE.upper(), SPIFFE[:-1], "spiffe://prod.example", ""])
def test_an_id_that_is_not_registered_to_the_letter_is_nobodys(spiffe_id: str) -> None:
    with pytest.raises(Refused) as refused:
        read_certificate(spiffe_id, "f" * 64, REGISTRY, 5.0, "j")
    assert refused.value.reason is Reason.CREDENTIAL_UNTRUSTED
