from __future__ import annotations

import pytest

from aegis_authz.people.passwords import WeakPassword, hash_password, is_password, require_strength

GOOD = "correct horse battery"


def test_a_password_is_kept_as_argon2id_of_the_cost_that_rfc_9106_recommends() -> None:
    kept = hash_password(GOOD)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert GOOD not in kept
    assert kept != hash_password(GOOD), "the salt is the same"


def test_the_password_of_a_hash_is_the_only_one() -> None:
    kept = hash_password(GOOD)
    assert is_password(GOOD, kept)
    assert not any(is_password(text, kept) for text in (GOOD + " ", GOOD[:-1], "", GOOD.title(), kept))


@pytest.mark.parametrize("password", ["", "nobody", GOOD])
def test_nobody_has_a_password(password: str) -> None:
    assert not is_password(password, "")


@pytest.mark.parametrize(
    "kept", ["x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2i$v=19$m=65536,t=3,p=1$AA$AA"]
)
def test_a_hash_that_is_none_is_nobodys(kept: str) -> None:
    assert not is_password(GOOD, kept)


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "a" * 11,
        "a" * 12,
        "ab" * 8,
        "abc" * 6,
        "x" * 257,
        "with a\nline feed",
        "ann.the.owner",
        "renwo.eht.nna",
    ],
)
def test_a_weak_password_is_refused_when_it_is_set(password: str) -> None:
    with pytest.raises(WeakPassword):
        require_strength(password, "ann.the.owner")


@pytest.mark.parametrize("password", [GOOD, "p" * 11 + "q", "übergroße Wörter", "x" * 255 + "y"])
def test_length_is_all_that_a_password_needs(password: str) -> None:
    require_strength(password, "ann.the.owner")
