from __future__ import annotations

import pytest

from aegis_authz.core.revocation import Revoked, RevokedKind

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
