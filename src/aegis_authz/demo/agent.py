"""An agent as seen from outside: mints tokens, calls tools through the proxy, reads the answers."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.identity.mint import mint_token


@dataclass(frozen=True, slots=True)
class Reply:
    """What an agent sees of one call. `ms` is the round trip through Envoy, Aegis and the tool."""

    status: int
    decision: str
    reason: str
    decision_id: str
    approval_id: str
    body: str
    ms: float

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Tokens:
    """Mints agent tokens with a mesh's own issuer key."""

    def __init__(self, key: Ed25519PrivateKey, issuer: str, audience: str) -> None:
        self._key = key
        self._issuer = issuer
        self._audience = audience

    def mint(
        self,
        agent: str,
        tenant: str = "emea",
        age: float = 0,
        key: Ed25519PrivateKey | None = None,
        org: str = "acme",
    ) -> str:
        """A token for `agent` of `org`/`tenant` that lives a minute, issued `age` seconds ago, by `key` if given."""
        return mint_token(
            self._key if key is None else key,
            issuer=self._issuer,
            audience=self._audience,
            scope=Scope(org, tenant, agent),
            now=Epoch(time.time() - age),
            ttl=Seconds(60),
            jti=Jti(secrets.token_hex(16)),
        )


_PATIENCE = 40.0
"""Seconds: longer than a request is kept open while a person decides."""


class Agent:
    """Calls tools through the forward proxy."""

    def __init__(self, proxy: str, records: Path, tokens: Tokens) -> None:
        self.tokens = tokens
        self._client = httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=_PATIENCE)
        self._records = records

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def call(
        self, agent: str, method: str, url: str, body: object = None, token: str | None = None, override: str = ""
    ) -> Reply:
        """Make one call as `agent`. `token` replaces the fresh one ("" sends none); `override` is an override token."""
        own_token = self.tokens.mint(agent) if token is None else token
        headers = {"x-aegis-token": own_token} if own_token else {}
        if override:
            headers["x-aegis-approval"] = override
        started = time.perf_counter()
        response = await self._client.request(method, url, headers=headers, json=body)
        spent = (time.perf_counter() - started) * 1000
        decision_id = response.headers.get("x-aegis-decision-id", "")
        return Reply(
            status=response.status_code,
            decision=response.headers.get("x-aegis-decision", "none"),
            reason=str((self.record(decision_id) or {}).get("reason", "not recorded")),
            decision_id=decision_id,
            approval_id=response.headers.get("x-aegis-approval-id", ""),
            body=response.text,
            ms=spent,
        )

    def record(self, decision_id: str) -> dict[str, Any] | None:
        """The record of a decision, None when there is none."""
        for path in sorted(self._records.glob("*/*.jsonl")):
            for line in path.read_text("utf-8").splitlines():
                if decision_id in line:
                    record: dict[str, Any] = json.loads(line)
                    if record.get("kind") == "decision" and record.get("decision_id") == decision_id:
                        return record
        return None
