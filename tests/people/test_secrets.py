from __future__ import annotations

import pytest

from aegis_authz.people.secrets import csrf_token, digest, is_csrf_token, is_secret_of, key_text, split_key

ID, SECRET = "0123456789abcdef", "ab" * 32


def test_a_key_reads_as_it_is_written() -> None:
    assert split_key(key_text(ID, SECRET)) == (ID, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aegis_",
        f"aegis_{ID}_",
        f"{ID}_{SECRET}",
        f"aegis_{ID}_{SECRET}0",
        f"aegis_{ID.upper()}_{SECRET}",
        f"aegis_{ID}_{SECRET}\n",
    ],
)
def test_what_is_no_key_is_none(text: str) -> None:
    assert split_key(text) is None


def test_a_secret_is_known_by_its_digest_alone() -> None:
    assert is_secret_of(SECRET, digest(SECRET))
    assert not is_secret_of(SECRET[:-1], digest(SECRET))
    assert not is_secret_of(digest(SECRET), digest(SECRET))


def test_a_csrf_token_is_one_sessions_and_not_its_secret() -> None:
    assert is_csrf_token(csrf_token(SECRET), SECRET)
    assert csrf_token(SECRET) != SECRET
    for token in ("", SECRET, csrf_token("cd" * 32), "é"):
        assert not is_csrf_token(token, SECRET)
