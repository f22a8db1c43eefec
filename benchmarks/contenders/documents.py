"""The policy everyone judges: three conditions on a payment, among so many other policies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from aegis_authz.core.scope import Scope
from aegis_authz.encoding import base64url
from aegis_authz.load.calls import DENIED, Call

FINANCE = Scope("acme", "emea", "finance-agent")
AGENT = FINANCE.agent
TOOL, ACTION, HOST, PATH = "stripe-payments", "create_payment", "api.stripe.example", "/v1/payments"
SPENDER = replace(FINANCE, agent="spending-agent")
"""The same under three limits, each wide enough for every call of a run."""
MOST = 5000
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK")
REFERENCE = "INV-[0-9]{6}"


def payment(amount: int) -> bytes:
    """The body of a payment that only its amount can make wrong."""
    return json.dumps({"amount": amount, "currency": "EUR", "reference": "INV-204817"}).encode()


ALLOWED = Call(PATH, host=HOST, body=payment(4200))
REFUSED = Call(PATH, DENIED, host=HOST, body=payment(50_000))


def write_documents(policies: Path, tools: Path, others: int, tool_port: int) -> None:
    """Write the agent's policy, so many others like it, and the catalogue. Raises OSError."""
    policies.mkdir(parents=True)
    tools.mkdir(parents=True)
    documents = {agent: _policy(agent) for agent in (AGENT, *map(_other_agent, range(others)))}
    documents[SPENDER.agent] = {**_policy(SPENDER.agent), "limits": [_limits()]}
    for agent, document in documents.items():
        (policies / f"{agent}.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    (tools / f"{TOOL}.yaml").write_text(yaml.safe_dump(_catalogue(tool_port), sort_keys=False), "utf-8")


def peer_data(public_key: bytes, key_id: str, others: int) -> dict[str, Any]:
    """The same as data of the Go peer's policy. `public_key` is the raw key that tokens are signed with."""
    key = base64url.encode(public_key).decode("ascii")
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": key, "kid": key_id, "alg": "EdDSA", "use": "sig"}
    rule = {"most": MOST, "currencies": dict.fromkeys(CURRENCIES, True), "reference": f"^{REFERENCE}$"}
    agents = (AGENT, *map(_other_agent, range(others)), SPENDER.agent)
    return {
        "jwks": json.dumps({"keys": [jwk]}),
        "policies": {str(replace(FINANCE, agent=agent)): {TOOL: {ACTION: rule}} for agent in agents},
        "tools": {HOST: {"POST": {PATH: {"tool": TOOL, "action": ACTION}}}},
    }


def _other_agent(number: int) -> str:
    return f"other-agent-{number}"


def _policy(agent: str) -> dict[str, Any]:
    conditions = {
        "max_amount": MOST,
        "parameters": {"currency": {"in": list(CURRENCIES)}, "reference": {"matches": REFERENCE}},
    }
    rule = {"name": TOOL, "actions": [ACTION], "conditions": conditions}
    return {"org": FINANCE.org, "tenant": FINANCE.tenant, "agent": agent, "allowed_tools": [rule]}


def _limits() -> dict[str, Any]:
    budget = {"amount": 4_000_000_000, "currency": "EUR", "per": "day", "of": {"parameter": "amount"}}
    rate = {"calls": 100_000, "per": "second", "burst": 100_000}
    count = {"max": 100_000_000, "per": "day"}
    return {"name": "wide", "tools": [TOOL], "budget": budget, "rate_limit": rate, "count": count}


def _catalogue(tool_port: int) -> dict[str, Any]:
    types = {"amount": "number", "currency": "string", "reference": "string"}
    parameters = {name: {"from": f"/{name}", "type": kind} for name, kind in types.items()}
    action = {"match": f"POST {PATH}", "parameters": parameters}
    return {"tool": TOOL, "host": HOST, "upstream": f"http://127.0.0.1:{tool_port}", "actions": {ACTION: action}}
