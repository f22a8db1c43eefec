"""The KV engine (version 2) and the methods of authentication of Vault, as far as reading secrets goes, as OpenBao 2.7
answers them; it keeps what it was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.vault_http import json_bytes, vault_http

TOKEN, ACCOUNT, GIVEN = "kv-token-of-tests", "account.of.tests", "given-token-of-tests"


@dataclass
class Kv:
    """What the server holds: `secrets` by their path, `mount/path`."""

    url: str = ""
    secrets: dict[str, Any] = field(default_factory=dict)
    live: set[str] = field(default_factory=lambda: {TOKEN})
    asked: list[tuple[str, str]] = field(default_factory=list)
    namespaces: set[str] = field(default_factory=set)
    answer: tuple[int, bytes] | None = None

    def reply(self, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
        """The status and the body for a request."""
        self.asked.append((method, path))
        if (method, path) == ("POST", "/v1/auth/kubernetes/login"):
            if body != {"role": "aegis", "jwt": ACCOUNT}:
                return 403, {"errors": ["permission denied"]}
            self.live.add(GIVEN)
            return 200, {"auth": {"client_token": GIVEN, "lease_duration": 3600, "renewable": True}, "data": None}
        if token not in self.live:
            return 403, {"errors": ["permission denied"]}
        if (method, path) == ("POST", "/v1/auth/token/revoke-self"):
            self.live.remove(token)
            return 204, None
        mount, _, rest = path.removeprefix("/v1/").partition("/data/")
        secret = self.secrets.get(f"{mount}/{rest}")
        if method != "GET" or secret is None:
            return 404, {"errors": []}
        metadata = {"version": 1, "deletion_time": "", "destroyed": False, "custom_metadata": None}
        return 200, {
            "request_id": "r",
            "lease_id": "",
            "data": {"data": secret, "metadata": metadata},
            "warnings": None,
        }


@contextmanager
def kv_server() -> Iterator[Kv]:
    """Serve one until the block ends."""
    kv = Kv()

    def reply(method: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, bytes]:
        kv.namespaces.add(headers.get("x-vault-namespace", ""))
        status, content = kv.reply(method, path, headers.get("x-vault-token", ""), body)
        return kv.answer or (status, json_bytes(content))

    with vault_http(reply) as kv.url:
        yield kv
