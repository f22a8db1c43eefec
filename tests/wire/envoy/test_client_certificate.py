"""What Envoy says of a client's certificate is read to the letter, and only when the connection says the same."""

from __future__ import annotations

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.client_certificate import ClientCertificate, client_certificate
from aegis_authz.wire.http.call import HttpCall

BOT = "spiffe://prod.example/ns/pay/sa/bot"
HASH = "a1" * 32


def call(*values: str, principal: str = BOT) -> HttpCall:
    headers = {"x-forwarded-client-cert": values} if values else {}
    return HttpCall("r", "GET", "http", "h", None, "/", "", headers, b"", "", "", "", "forward", principal, True)


@pytest.mark.parametrize(
    "value",
    [f"Hash={HASH};URI={BOT}", f"By=spiffe://prod.example/proxy;Hash={HASH};URI={BOT}"],
)
def test_a_certificate_with_one_id_is_read(value: str) -> None:
    assert client_certificate(call(value)) == ClientCertificate(BOT, HASH)


def test_a_connection_without_a_certificate_has_none() -> None:
    assert client_certificate(call(principal="")) is None


@pytest.mark.parametrize(
    "http",
    [
        call(),  # a connection with one, and no header
        call(f"Hash={HASH};URI={BOT}", principal=""),  # the reverse: forged
        call(f"Hash={HASH};URI={BOT}", principal="spiffe://prod.example/other"),
        call(f"Hash={HASH};URI={BOT}", f"Hash={HASH};URI={BOT}"),
        call(f"Hash={HASH};URI={BOT},Hash={HASH};URI=spiffe://prod.example/boss"),
        call(f"Hash={HASH};URI={BOT};URI=spiffe://prod.example/boss"),
        call(f"Hash={HASH};URI=spiffe://prod.example/boss;URI={BOT}"),
        call(f'Hash={HASH};Subject="CN=x";URI={BOT}'),
        call(f"Hash={HASH};URI=;URI={BOT}"),
        call(f"URI={BOT}"),
        call(f"Hash={HASH[:-1]};URI={BOT}"),
        call(f"hash={HASH};uri={BOT}"),
        call(f"Hash={HASH};URI={BOT};"),
        call(f"Hash={HASH};URI=https://prod.example/bot", principal="https://prod.example/bot"),
    ],
    ids=lambda http: str(http.headers.get("x-forwarded-client-cert")),
)
def test_whatever_else_it_says_is_refused(http: HttpCall) -> None:
    with pytest.raises(Refused) as refused:
        client_certificate(http)
    assert refused.value.reason is Reason.CREDENTIAL_MALFORMED
