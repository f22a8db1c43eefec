"""Catalogue and trust through a bundle and back, and every surprise refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.bundle.snapshot import snapshot_from_data, trust_to_data
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data
from aegis_authz.policy.compile.compiler import Compiled, compile_policy
from aegis_authz.policy.load import Loaded


@pytest.fixture
def data(compiled: Compiled) -> Any:
    return copy.deepcopy(compiled.data["aegis"]["snapshot"])  # type: ignore[index, call-overload]


def test_tools_survive_the_way_through_a_bundle(examples: Loaded) -> None:
    assert tools_from_data(tools_to_data(examples.tools)) == tuple(sorted(examples.tools, key=lambda tool: tool.name))


def test_a_snapshot_holds_catalogue_and_trust(data: Any, compiled: Compiled, token_jwk: Any, approval_jwk: Any) -> None:
    snapshot = snapshot_from_data(data)
    assert snapshot.revision == compiled.revision
    assert snapshot.status_base == "http://127.0.0.1:8181/approvals"
    assert set(snapshot.catalogue.by_name) == {"stripe-payments", "ehr", "deploys", "github"}
    assert snapshot.catalogue.by_address["ehr.example", None][0].name == "ehr"
    assert set(snapshot.trust.token_keys) == {token_jwk["kid"]}
    assert set(snapshot.trust.approval_keys) == {approval_jwk["kid"]}
    assert (snapshot.trust.max_token_life, snapshot.trust.clock_skew) == (300.0, 5.0)


def test_a_snapshot_tells_how_refusals_say_what_is_allowed(data: Any) -> None:
    assert snapshot_from_data(data).phrases["max"] == "at most {limit}"


def test_a_bundle_from_before_there_were_phrases_is_read(data: Any) -> None:
    del data["phrases"]
    assert snapshot_from_data(data).phrases == {}


def test_a_snapshot_holds_what_was_revoked_when_it_was_made(examples: Loaded, trust: Any) -> None:
    marks = ["acme/emea/bot", "acme/emea", "acme/emea key k", "acme/emea token t", "acme/emea"]
    compiled: Any = compile_policy(examples.compiled, examples.tools, trust, "", revoked=marks).data
    data = compiled["aegis"]["snapshot"]
    assert data["revoked"] == sorted(set(marks))
    assert snapshot_from_data(data).revoked == frozenset(marks)
    del data["revoked"]
    assert snapshot_from_data(data).revoked == frozenset()


_SURPRISES = [
    ("revoked", None),
    ("revoked", {}),
    ("revoked", ["acme"]),
    ("revoked", ["acme/emea secret s"]),
    ("revoked", [5]),
    ("phrases", None),
    ("phrases", []),
    ("phrases.max", 5),
    ("revision", ""),
    ("revision", 5),
    ("status_base", None),
    ("catalogue", {}),
    ("trust", None),
    ("extra", 1),
    ("trust.issuer", ""),
    ("trust.max_token_life", 0),
    ("trust.max_token_life", True),
    ("trust.max_token_life", "300"),
    ("trust.clock_skew", -1),
    ("trust.clock_skew", float("nan")),
    ("trust.token_keys.0.kid", "other"),
    ("trust.token_keys.0.d", "secret"),
    ("trust.token_keys.0.kty", "EC"),
    ("trust.token_keys.0.use", "sig"),
    ("trust.token_keys.0.x", "AAAA"),
    ("trust.token_keys.0.x", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("catalogue.0.port", 0),
    ("catalogue.0.port", "80"),
    ("catalogue.0.host", ""),
    ("catalogue.0.extra", 1),
    ("catalogue.0.actions.0.method", 1),
    ("catalogue.0.actions.0.template", "/x"),
    ("catalogue.0.actions.0.parameters.0.type", "decimal"),
    ("catalogue.0.actions.0.parameters.0.source", "cookie"),
    ("catalogue.0.actions.0.parameters.0.at", "amount"),
    ("catalogue.0.actions.0.parameters.0.at", "/a~2"),
]


@pytest.mark.parametrize(("where", "value"), _SURPRISES, ids=[f"{where}={value}" for where, value in _SURPRISES])
def test_every_surprise_is_refused(data: Any, where: str, value: Any) -> None:
    *path, last = where.split(".")
    inner = data
    for part in path:
        inner = inner[int(part)] if part.isdecimal() else inner[part]
    inner[last] = value
    with pytest.raises(ValueError, match=r"."):
        snapshot_from_data(data)


def test_a_key_listed_twice_or_for_two_uses_is_refused(data: Any) -> None:
    for change in ("token_keys", "approval_keys"):
        doubled = copy.deepcopy(data)
        doubled["trust"][change] = data["trust"]["token_keys"] * 2
        with pytest.raises(ValueError, match="twice"):
            snapshot_from_data(doubled)
    shared = copy.deepcopy(data)
    shared["trust"]["approval_keys"] = data["trust"]["token_keys"]
    with pytest.raises(ValueError, match="both"):
        snapshot_from_data(shared)


def test_two_tools_of_one_name_are_refused(data: Any) -> None:
    data["catalogue"].append(data["catalogue"][0])
    with pytest.raises(ValueError, match="named"):
        snapshot_from_data(data)


def test_private_keys_and_keys_for_other_uses_are_never_published(token_jwk: Any) -> None:
    assert trust_to_data("i", "a", [{**token_jwk, "use": "sig", "alg": "EdDSA"}], [], 300, 5)["token_keys"] == [
        token_jwk
    ]
    for extra in ({"d": "secret"}, {"use": "enc"}, {"alg": "ES256"}):
        with pytest.raises(ValueError, match="key"):
            trust_to_data("i", "a", [{**token_jwk, **extra}], [], 300, 5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["revision", "catalogue", "trust", "status_base", "name", "host"]), inner, max_size=4
            )
        ),
    )
)
def test_garbage_raises_value_error_and_nothing_else(garbage: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        snapshot_from_data(garbage)
