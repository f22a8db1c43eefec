"""Who has a key, and that it is one's own."""

from __future__ import annotations

import pytest

from aegis_agent.idempotency import HEADER, new_key, require_key


@pytest.mark.parametrize("method", ["POST", "put", "PATCH", "DELETE", "MOVE"])
def test_what_may_change_something_has_a_key_of_its_own(method: str) -> None:
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    require_key(method, first)
    require_key(method, second)
    assert first[HEADER] != second[HEADER]


@pytest.mark.parametrize("method", ["GET", "get", "HEAD", "OPTIONS"])
def test_what_only_reads_has_none(method: str) -> None:
    headers: dict[str, str] = {}
    require_key(method, headers)
    assert headers == {}


def test_the_key_of_the_program_stays() -> None:
    headers = {HEADER: "invoice-1181"}
    require_key("POST", headers)
    assert headers == {HEADER: "invoice-1181"}
    assert new_key() != new_key()
