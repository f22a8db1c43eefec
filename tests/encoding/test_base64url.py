"""Base64url: of all spellings of some bytes, the one that `encode` writes is read, and no other."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.encoding import base64url

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def is_read(text: bytes) -> bool:
    try:
        return base64url.encode(base64url.decode(text)) == text
    except ValueError:
        return False


@given(st.binary(max_size=100))
def test_what_is_written_is_read(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


def test_of_all_texts_of_up_to_two_bytes_those_are_read_that_some_byte_is_written_as() -> None:
    texts = [bytes(text) for size in range(3) for text in product(range(256), repeat=size)]
    written = {base64url.encode(bytes(data)) for size in range(2) for data in product(range(256), repeat=size)}
    assert {text for text in texts if is_read(text)} == written


def test_three_letters_are_read_where_their_last_two_bits_are_zero() -> None:
    read = [last for last in LETTERS if is_read(b"AB" + bytes([last]))]
    assert read == sorted(read, key=LETTERS.index) == list(LETTERS[::4])


@given(st.lists(st.sampled_from([*LETTERS, *b"+/= \n\x00\xff"]), max_size=12).map(bytes))
def test_no_text_is_read_that_would_be_written_otherwise(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("text", [b"A", b"AAAAA", b"AA==", b"AAA=", b"+A", b"/A", b"A\nA", b"AB", b"AAB"])
def test_what_no_bytes_are_written_as_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="base64url"):
        base64url.decode(text)
