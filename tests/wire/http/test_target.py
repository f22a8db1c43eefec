"""The URIs under which a request may have been addressed."""

from __future__ import annotations

import pytest

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.target import targets

BANK = Tool("bank", "api.bank.example", 8080, "http://127.0.0.1:9001", (), "", "", None, False, False, NO_INTERFACE)
CATALOGUE = Catalogue.of((BANK,))


def call(
    host: str,
    path: str,
    query: str = "",
    *,
    port: int | None = None,
    scheme: str = "http",
    hint: str = "",
    over_tls: bool = False,
) -> HttpCall:
    return HttpCall("r", "GET", scheme, host, port, path, query, {}, b"", "", hint, "", "", "", over_tls)


@pytest.mark.parametrize(
    ("http", "uris"),
    [
        (call("api.bank.example", "/v1"), ("http://api.bank.example/v1",)),
        (call("api.bank.example", "/v1", "a=%20", port=8080), ("http://api.bank.example:8080/v1?a=%20",)),
        (call("api.bank.example", "/", port=80, scheme="https"), ("https://api.bank.example:80/",)),
        (call("[2001:db8::1]", "/"), ("http://[2001:db8::1]/",)),
        (
            call("gateway", "/bank/v1/x", "q=1", port=9081, hint="bank"),
            ("http://gateway:9081/bank/v1/x?q=1", "http://api.bank.example:8080/v1/x?q=1"),
        ),
        (
            call("gateway", "/bank/v1", port=443, hint="bank", over_tls=True),
            ("https://gateway/bank/v1", "http://api.bank.example:8080/v1"),
        ),
        (call("api.bank.example", "/v1", over_tls=True), ("http://api.bank.example/v1",)),
        (call("gateway", "/bank", hint="bank"), ("http://gateway/bank", "http://api.bank.example:8080/")),
        (call("gateway", "/nobody/v1", hint="?"), ("http://gateway/nobody/v1",)),
    ],
)
def test_a_request_has_the_targets_it_was_addressed_by(http: HttpCall, uris: tuple[str, ...]) -> None:
    assert targets(http, CATALOGUE) == uris
