"""Lists of persisted documents: the shapes that clients write, and what is left out of them or refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from aegis_authz.policy.graphql_schema import SchemaUnusable
from aegis_authz.policy.persisted_documents import persisted_documents

USER, PAY = "{ user { id } }", "mutation { pay }"
HASH = hashlib.sha256(USER.encode()).hexdigest()


def manifest(*entries: Any) -> str:
    return json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": list(entries)})


def test_the_manifest_of_apollo_and_a_mapping_of_ids_to_texts_are_read() -> None:
    listed = persisted_documents(manifest({"id": HASH, "name": "User", "type": "query", "body": USER}))
    assert (listed.documents, listed.gaps) == ({HASH: USER}, ())
    assert persisted_documents(json.dumps({"user": USER, HASH: USER})).documents == {"user": USER, HASH: USER}


def test_what_no_catalogue_lists_is_left_out_and_said() -> None:
    listed = persisted_documents(json.dumps({"pay": PAY, "0" * 64: USER, "two": "query A {a} query B {b}", "bad": "{"}))
    assert listed.documents == {"pay": PAY}
    assert [gap.split(":")[0] for gap in listed.gaps] == ["left out"] * 3
    assert "is not the SHA-256 of its document" in listed.gaps[0]
    assert "has 2 operations" in listed.gaps[1]


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{}",
        "null",
        json.dumps({"bad": "{"}),
        json.dumps({"a": 1}),
        json.dumps({"": USER}),
        f'{{"a": "{USER}", "a": "{PAY}"}}',
        "[" * 200_000,
        manifest({"id": "a"}),
        manifest("a"),
        manifest({"id": "a", "body": USER}, {"id": "a", "body": PAY}),
        json.dumps({str(number): USER for number in range(2001)}),
    ],
)
def test_what_is_no_list_of_documents_is_refused(text: str) -> None:
    with pytest.raises(SchemaUnusable):
        persisted_documents(text)
