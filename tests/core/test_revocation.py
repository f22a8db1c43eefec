from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.grant import Grant, Narrowing
from aegis_authz.core.identity import Identity, Proof, Way
from aegis_authz.core.revocation import Revoked, RevokedKind, actor_marks, is_revoked, marks_of
from aegis_authz.core.scope import Scope

SCOPE = Scope("acme", "emea", "bot")

TARGETS = [
    Revoked(RevokedKind.AGENT, "acme", "emea", "bot"),
    Revoked(RevokedKind.TENANT, "acme", "emea", ""),
    Revoked(RevokedKind.KEY, "acme", "emea", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
    Revoked(RevokedKind.TOKEN, "acme", "emea", "bot"),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_mark_is_read_as_what_it_was_made_of(target: Revoked) -> None:
    assert Revoked.parse(target.mark) == target


def test_no_two_marks_are_alike() -> None:
    assert len({target.mark for target in TARGETS}) == len(TARGETS)


@pytest.mark.parametrize(
    "mark",
    ["", "acme", "acme/emea/bot/x", "acme/*", "acme/emea key", "acme/emea key a b", "acme/emea ip a", "a/b/c key x"],
)
def test_anything_else_is_no_mark(mark: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Revoked.parse(mark)


def test_a_tenant_has_no_name_beside_its_own_and_all_else_has() -> None:
    for kind, name in (
        (RevokedKind.TENANT, "x"),
        (RevokedKind.KEY, ""),
        (RevokedKind.AGENT, ""),
        (RevokedKind.AGENT, "*"),
    ):
        with pytest.raises(ValueError, match=r"."):
            Revoked(kind, "acme", "emea", name)


def identity(way: Way, proof: Proof | None = None) -> Identity:
    return Identity(SCOPE, "issuer", "key-of-the-issuer-or-own", "j-1", 0.0, 60.0, (), "", way, proof, "", None)


def test_a_call_is_marked_by_its_agent_its_tenant_its_token_and_the_key_that_is_its_own() -> None:
    others = ("acme/emea/bot", "acme/emea", "acme/emea token j-1")
    assert marks_of(identity(Way.TOKEN)) == (*others, "")
    assert marks_of(identity(Way.BOUND, Proof("p", "jkt", 0.0, 60.0))) == (*others, "acme/emea key jkt")
    assert marks_of(identity(Way.WORKLOAD, Proof("p", "jkt", 0.0, 1.0))) == (*others, "acme/emea key jkt")
    for way in (Way.AGENT_KEY, Way.MTLS):
        assert marks_of(identity(way)) == (*others, "acme/emea key key-of-the-issuer-or-own")


def test_any_mark_revokes_and_none_of_others_does() -> None:
    bound = identity(Way.BOUND, Proof("p", "jkt", 0.0, 60.0))
    assert not is_revoked(bound, frozenset())
    for mark in marks_of(bound):
        assert is_revoked(bound, frozenset({mark}))
    assert not is_revoked(bound, frozenset({"acme/us", "acme/emea/bot-2", "acme/emea key p", "acme/us key jkt", ""}))
    assert not is_revoked(identity(Way.TOKEN), frozenset({"acme/emea key key-of-the-issuer-or-own"}))


def test_a_call_is_marked_by_each_agent_that_acts_in_it_and_by_its_tenant() -> None:
    acting = replace(identity(Way.TOKEN), actors=("acme/emea/helper", "spiffe://acme/planner", "beta/us/first"))
    assert marks_of(acting)[:4] == marks_of(identity(Way.TOKEN))
    assert marks_of(acting)[4:] == ("acme/emea/helper", "acme/emea", "beta/us/first", "beta/us")
    for mark in ("acme/emea/helper", "beta/us/first", "beta/us"):
        assert is_revoked(acting, frozenset({mark}))
        assert not is_revoked(identity(Way.TOKEN), frozenset({mark}))


def test_a_call_is_marked_by_each_key_that_narrowed_its_token() -> None:
    chain = tuple(Narrowing("g" * 16, 0.0, 60.0, 1, None, None, by) for by in ("first", "", "second"))
    bound = replace(identity(Way.BOUND, Proof("p", "jkt", 0.0, 60.0)), grant=Grant("d", chain))
    assert marks_of(bound)[4:] == ("acme/emea key first", "acme/emea key second")
    assert is_revoked(bound, frozenset({"acme/emea key first"}))
    assert not is_revoked(bound, frozenset({"acme/us key first", "acme/emea key third"}))


def test_a_name_that_is_no_agent_has_no_mark() -> None:
    assert actor_marks(["first", "acme/emea", "a/b/c/d", "acme/emea key k", "x\nacme/emea/bot", ""]) == ()
