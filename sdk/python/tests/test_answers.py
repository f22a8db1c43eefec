"""What is a refusal and what is not, as `sdk/vectors` have it for every SDK; what cannot be read of it is a denial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegis_agent import AegisDenied
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import Standing

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "answers.json").read_text("utf-8"))


def ask(approval_id: str) -> Standing:
    return Standing("denied", approval_id, 0)


@pytest.mark.parametrize("vector", VECTORS["refusals"], ids=lambda vector: str(vector["headers"]))
def test_the_mesh_says_in_a_header_whether_it_refused(vector: dict[str, Any]) -> None:
    assert is_refusal(vector["headers"]) is vector["is_refusal"]


@pytest.mark.parametrize("vector", VECTORS["errors"], ids=lambda vector: str(vector["body"]))
def test_a_refusal_is_the_error_of_the_vectors(vector: dict[str, Any]) -> None:
    error = refusal_error(vector["status"], vector["headers"], vector["body"].encode("utf-8"), ask)
    assert {"kind": type(error).__name__} | {
        name: getattr(error, name) for name in vector["error"] if name != "kind"
    } == (vector["error"])
    assert (str(error), error.refusal.status) == (error.sentence, vector["status"])


def test_a_refusal_that_is_nested_too_deep_is_a_denial() -> None:
    error = refusal_error(403, {"x-aegis-decision": "deny"}, b"[" * 100_000, ask)
    assert isinstance(error, AegisDenied)
    assert (error.reason, error.retryable) == ("", False)
