from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.openapi import api_document
from aegis_authz.people.permissions import Permission

PAGE = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
OPEN = {
    "/v1/authorities",
    "/v1/enroll",
    "/v1/password",
    "/v1/session/code",
    "/v1/token",
    "/.well-known/jwks.json",
    "/healthz",
    "/readyz",
    "/v1/approvals/{approval_id}/status",
}


@pytest.fixture
def document(plane: ControlServices) -> dict[str, Any]:
    return api_document(create_app(plane))


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def test_the_document_in_docs_is_what_the_routes_are(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("AEGIS_WRITE_DOCS"):
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "run `make docs-api`"


OPA = ("/bundles/aegis.tar.gz", "/bundles/opa.tar.gz", "/status")


def test_every_operation_says_who_may_ask_and_that_problems_are_problem_documents(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            security = operation.get("security", [])
            if path in OPEN or path in OPA or (method, path) == ("post", "/v1/session"):
                assert security == ([{"opa": []}] if path in OPA else []), path
            else:
                assert [Permission(word) for word in security[0]["person"]], path
            assert set(operation["responses"]["default"]["content"]) == {"application/problem+json"}
            assert operation["summary"]


def test_a_request_takes_no_member_that_the_document_does_not_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    requests = [schema for name, schema in schemas.items() if name.endswith("Request")]
    assert requests
    assert all(schema["additionalProperties"] is False for schema in requests)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    wanted = {reference.rpartition("/")[2] for reference in _references(document)}
    assert wanted <= schemas.keys()
    assert schemas.keys() <= wanted, "a schema nothing refers to"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
async def test_no_page_about_the_api_is_served(
    plane: ControlServices, client: Callable[[ControlServices, str], httpx.AsyncClient], path: str
) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
