from __future__ import annotations

import pytest

from aegis_authz.encoding.mcp_header import decode, encode, is_encoded


@pytest.mark.parametrize("text", ["", "read_file", "größe", "=?base64?", "naïve name", "名前"])
def test_an_encoded_text_is_read_back(text: str) -> None:
    value = encode(text)
    assert value.isascii()
    assert is_encoded(value)
    assert decode(value) == text


@pytest.mark.parametrize("value", ["read_file", "", "=?base64?", "?=", "=?base64?cmVhZA==", "=?BASE64?cmVhZA==?="])
def test_what_is_not_marked_as_base64_is_the_text_itself(value: str) -> None:
    assert not is_encoded(value)
    assert decode(value) == value


@pytest.mark.parametrize(
    "value",
    [
        "=?base64?=",
        "=?base64?cmVhZA?=",
        "=?base64?cmVhZB==?=",
        "=?base64?cm VhZA==?=",
        "=?base64?cmVhZA===?=",
        "=?base64?cmVhZA==cmVhZA==?=",
        "=?base64?/w==?=",
        "=?base64?7aCA?=",
        "=?base64?é?=",
    ],
)
def test_a_second_spelling_and_what_is_no_text_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="an encoded MCP header"):
        decode(value)
