"""What documents of agents and issuers say together, and what a bundle holds of them."""

from __future__ import annotations

from typing import Any

import pytest
from nacl.signing import SigningKey

from aegis_authz.core.identity import Way
from aegis_authz.core.registration import AgentKey
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.policy.bundle.snapshot import snapshot_from_data
from aegis_authz.policy.compile.compiler import Compiled, compile_policy
from aegis_authz.policy.compile.identities import registration_of
from aegis_authz.policy.language.identities import AgentEntry
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

X = okp_jwk(SigningKey(b"k" * 32).verify_key.encode())["x"]
KEY = f"{{kty: OKP, crv: Ed25519, x: {X}}}"
DIGEST = "sha256:" + "a" * 64
TRUST = (
    "trust: {name}\nissuer: https://ci.example\naudience: {audience}\njwks: https://ci.example/keys\n"
    "algorithms: [RS256]\nsubjects: [{{claims: {{sub: a}}, agent: acme/emea/shop}}]\n"
)


def compiled(loaded: Loaded, trust: dict[str, Any]) -> Compiled:
    return compile_policy(loaded.compiled, loaded.tools, trust, "", identities=loaded.identities)


def refusal(*texts: str) -> str:
    with pytest.raises(PolicyErrors) as caught:
        load({f"{position}.yaml": text for position, text in enumerate(texts)}, {})
    return str(caught.value)


def test_the_data_plane_reads_who_is_registered_out_of_the_bundle(trust: dict[str, Any]) -> None:
    text = (
        f"agents:\n  acme/emea/payer:\n    ways: [agent_key, workload]\n    spiffe: [spiffe://prod.example/payer]\n"
        f"    agent_keys: [{{hash: {DIGEST}, ranges: [10.0.0.0/8], from: 2026-01-01, until: 2026-01-31}}]\n"
    )
    data: Any = compiled(load({"a.yaml": text}, {}), trust).data
    registry = snapshot_from_data(data["aegis"]["snapshot"]).agents
    scope = Scope("acme", "emea", "payer")
    assert registry.of_agent(scope).ways == {Way.AGENT_KEY, Way.WORKLOAD}
    assert registry.by_spiffe_id == {"spiffe://prod.example/payer": scope}
    (key,) = registry.of_agent(scope).agent_keys
    assert key == AgentKey("a" * 64, ("10.0.0.0/8",), Epoch(1767225600.0), Epoch(1769904000.0))


def test_a_secret_without_days_counts_always() -> None:
    entry = AgentEntry.model_validate({"agent_keys": [{"hash": DIGEST, "ranges": ["10.0.0.0/8"]}]})
    (key,) = registration_of(entry).agent_keys
    assert (key.starts_at, key.ends_at) == (0.0, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{owner: a}", f"{{keys: [{KEY}]}}"),
        ("{owner: a}", "{token_life: 60}"),
        ("{owner: a}", "{ways: [bound]}"),
    ],
)
def test_what_decides_anything_makes_another_revision(before: str, after: str, trust: dict[str, Any]) -> None:
    revisions = {
        compiled(load({"a.yaml": f"agents:\n  acme/emea/payer: {entry}\n"}, {}), trust).revision
        for entry in (before, after)
    }
    assert len(revisions) == 2


def test_who_is_trusted_makes_another_revision(trust: dict[str, Any]) -> None:
    revisions = {
        compiled(load({"a.yaml": TRUST.format(name="ci", audience=audience)}, {}), trust).revision
        for audience in ("a", "b")
    }
    assert len(revisions) == 2


def test_the_order_of_files_does_not_matter(trust: dict[str, Any]) -> None:
    texts = ["agents:\n  acme/emea/a: {ways: [bound]}\n", "agents:\n  acme/emea/b: {ways: [bound]}\n"]
    texts += [TRUST.format(name=name, audience=name) for name in ("ci", "cd")]
    orders = (texts, texts[::-1])
    revisions = {
        compiled(load({f"{n}.yaml": text for n, text in enumerate(order)}, {}), trust).revision for order in orders
    }
    assert len(revisions) == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{owner: a}", "agent 'acme/emea/payer' is registered already (0.yaml:2)"),
        (f"{{keys: [{KEY}]}}", "is an agent's already (0.yaml:2)"),
        (f"{{agent_keys: [{{hash: {DIGEST}, ranges: [10.0.0.0/8]}}]}}", "is an agent's already (0.yaml:2)"),
        ("{spiffe: [spiffe://prod.example/a]}", "is an agent's already (0.yaml:2)"),
    ],
)
def test_no_two_agents_have_the_same_name_key_secret_or_workload(entry: str, message: str) -> None:
    again = "acme/emea/payer" if "owner" in entry else "acme/emea/shop"
    assert message in refusal(f"agents:\n  acme/emea/payer: {entry}\n", f"agents:\n  {again}: {entry}\n")


def test_no_two_documents_trust_the_same_issuer_for_the_same_audience() -> None:
    first = TRUST.format(name="ci", audience="aegis")
    assert "another trust document has this name (0.yaml:1)" in refusal(first, TRUST.format(name="ci", audience="b"))
    assert "this issuer and audience (0.yaml:2)" in refusal(first, TRUST.format(name="cd", audience="aegis"))
