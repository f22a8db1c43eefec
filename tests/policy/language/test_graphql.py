"""What a catalogue says of operations of GraphQL: what is read, what is an error, and that a bundle keeps it."""

from __future__ import annotations

import hashlib

import pytest

from aegis_authz.core.catalogue import ONE_OPERATION, OperationTerms
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data
from aegis_authz.policy.language.graphql import MOST_DOCUMENTS
from tests.policy.language.test_catalogue import problems, tools

USER = "{ user { id } }"
HASH = hashlib.sha256(USER.encode()).hexdigest()
TEXT = "tool: a\nhost: a.example\nactions: {{graph: {{match: POST /graphql, body: graphql, graphql: {0}{1}}}}}\n"


def written(terms: str, more: str = "") -> str:
    return TEXT.format(terms, more)


def test_an_action_says_how_operations_may_be_sent_and_none_does_by_itself() -> None:
    terms = f'{{batch: 5, texts: refuse, persisted: {{{HASH}: "{USER}", user: "{USER}"}}}}'
    (tool,) = tools(written(terms))
    assert tool.actions[0].operations == OperationTerms(5, {HASH: USER, "user": USER}, False)
    assert tools_from_data(tools_to_data([tool])) == (tool,)
    (plain,) = tools("tool: a\nhost: a.example\nactions: {graph: {match: POST /graphql, body: graphql}}\n")
    assert plain.actions[0].operations == ONE_OPERATION


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (written("{batch: 0}"), "must be at least 1"),
        (written("{batch: 51}"), "must be at most 50"),
        (written("{persisted: {}}"), "must not be empty"),
        (written("{texts: refuse}"), "lets no operation pass"),
        (written('{persisted: {a: "{ user"}}'), "the document 'a' is no GraphQL"),
        (written('{persisted: {a: "query A {a} query B {b}"}}'), "has 2 operations, and must have one"),
        (written('{persisted: {a: "fragment F on Q { a }"}}'), "has 0 operations"),
        (written(f'{{persisted: {{a: "{{{" a" * 600}}}"}}}}'), "600 tokens"),
        (written(f'{{persisted: {{a: "{{ {"a" * 32_768} }}"}}}}'), "32768 characters"),
        (written(f'{{persisted: {{"{"0" * 64}": "{USER}"}}}}'), f"which is {HASH}"),
        (written(f'{{persisted: {{"sha256:{"0" * 64}": "{USER}"}}}}'), "is not the SHA-256 of its document"),
        (written("{batch: 2}", ", parameters: {v: {from: /variables/v}}"), "each operation of a batch has its own"),
        (written("{batch: 2}", ", parameters: {kind: {from: /name}}"), "each operation of a batch has its own"),
        (written("{batch: 2}").replace("POST", "GET"), "a GET has none"),
        (written("{batch: 2}").replace("body: graphql, ", ""), "it needs body: graphql"),
    ],
)
def test_what_could_not_be_judged_is_an_error(text: str, problem: str) -> None:
    assert any(problem in found for found in problems(text)), problems(text)


def test_how_many_documents_an_action_lists_is_bounded() -> None:
    listed = ", ".join(f"d{number}: '{{ a }}'" for number in range(MOST_DOCUMENTS + 1))
    assert any(f"{MOST_DOCUMENTS}" in found for found in problems(written(f"{{persisted: {{{listed}}}}}")))
