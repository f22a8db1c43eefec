"""Compiling: the same content has the same revision, everything else another."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.compiler import Compiled, compile_policy
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.load import Loaded
from tests.support.forms import written_out


def test_order_of_documents_and_tools_does_not_matter(examples: Loaded, trust: Any, compiled: Compiled) -> None:
    again = compile_policy(
        tuple(reversed(examples.compiled)), tuple(reversed(examples.tools)), trust, "http://127.0.0.1:8181/approvals"
    )
    assert again == compiled
    assert canonical(again.data) == canonical(compiled.data)


def test_order_of_keys_and_lists_does_not_matter(trust: Any) -> None:
    one = {
        "agent": "a",
        "allowed_tools": [{"name": "t", "actions": ["x", "y"], "sanitize": {"request": {"detectors": ["p", "q"]}}}],
    }
    other = {
        "allowed_tools": [{"sanitize": {"request": {"detectors": ["q", "p"]}}, "actions": ["y", "x"], "name": "t"}],
        "agent": "a",
    }
    first, second = (
        compile_policy([compiled_document(PolicyDocument.model_validate(raw))], [], trust, "") for raw in (one, other)
    )
    assert first == second


def test_any_change_of_content_or_library_is_another_revision(examples: Loaded, trust: Any) -> None:
    variants = [
        compile_policy(examples.compiled, examples.tools, trust, ""),
        compile_policy(examples.compiled[1:], examples.tools, trust, ""),
        compile_policy(examples.compiled, examples.tools[1:], trust, ""),
        compile_policy(examples.compiled, examples.tools, {**trust, "clock_skew": 6}, ""),
        compile_policy(examples.compiled, examples.tools, trust, "http://x"),
        compile_policy(examples.compiled, examples.tools, trust, "", revoked=["acme/emea"]),
        compile_policy(examples.compiled, examples.tools, trust, "", {"answer.rego": "package aegis.authz"}),
    ]
    assert len({variant.revision for variant in variants}) == len(variants)


def test_descriptions_do_not_make_a_revision(trust: Any) -> None:
    plain, told = (
        compile_policy([compiled_document(PolicyDocument.model_validate({"agent": "a", **extra}))], [], trust, "")
        for extra in ({}, {"description": "hello", "owner": "me", "ticket": "T-1"})
    )
    assert plain.revision == told.revision


def test_documents_are_found_by_scope_and_only_shapes_in_use_are_looked_up(trust: Any) -> None:
    documents = [
        PolicyDocument.model_validate(raw)
        for raw in ({"agent": "a"}, {"org": "o", "tenant": "t", "agent": "a", "mode": "shadow"})
    ]
    policies: Any = compile_policy([*map(compiled_document, documents)], [], trust, "").data["aegis"]["policies"]  # type: ignore[index, call-overload]
    assert policies["shapes"] == [["", "", ""], ["*", "*", ""]]
    assert {scope: (len(modes["enforce"]), len(modes["shadow"])) for scope, modes in written_out(policies).items()} == {
        "*/*/a": (1, 0),
        "o/t/a": (0, 1),
    }


def test_unreadable_trust_and_unchecked_conditions_are_refused(trust: Any) -> None:
    with pytest.raises(ValueError, match="trust"):
        compile_policy([], [], {}, "")
    bad = {"agent": "a", "allowed_tools": [{"name": "t", "actions": ["x"], "conditions": {"max_amount": -1}}]}
    with pytest.raises(ValueError, match="did not pass"):
        compile_policy([compiled_document(PolicyDocument.model_validate(bad))], [], trust, "")


def test_canonical_text_is_what_go_writes() -> None:
    value = {"b": [1, 2.5, True, None], "a": "é<&>\u2028\x7f\x01\n\b\f😀"}
    assert canonical(value) == ('{"a":"é<&>\\u2028\x7f\\u0001\\n\\b\\f😀","b":[1,2.5,true,null]}'.encode())
    with pytest.raises(ValueError, match="JSON"):
        canonical(float("inf"))
