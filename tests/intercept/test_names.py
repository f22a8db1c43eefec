"""Which texts name a host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.intercept.names import is_host_name

_LABELS = st.from_regex(r"[a-z](?:[a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.lists(_LABELS, min_size=1, max_size=4))
def test_labels_of_letters_digits_and_hyphens_are_a_name(labels: list[str]) -> None:
    assert is_host_name(".".join(labels))


@given(st.text(max_size=30))
def test_a_name_has_one_spelling(text: str) -> None:
    if is_host_name(text):
        assert text == text.lower() == text.strip(".") and text.isascii()
        assert not is_host_name(text.upper()) or text.upper() == text


def test_addresses_wildcards_and_what_is_too_long_are_none() -> None:
    for text in ("127.0.0.1", "::1", "1", "0x7f.1", "a.0x7f", "*.example", "a..b", ".a", "a.", "-a", "a-", "a" * 64):
        assert not is_host_name(text)
    assert not is_host_name(".".join(["a" * 63] * 4))
    assert not is_host_name("api.example\n")
