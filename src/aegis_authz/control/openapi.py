"""The document of the control plane's API (OpenAPI 3.1), made from its routes and models."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from aegis_authz.api.problem import ProblemDocument
from aegis_authz.control.http import PROBLEM_MEDIA_TYPE
from aegis_authz.core.json_value import Json

API_VERSION = "1"
"""The number in `/v1`: another one when a client of today would not understand the answers."""

_SCHEMAS = "#/components/schemas"
_DESCRIPTION = """\
Publishes policy, decides approvals and revokes agents. Every answer that is not a success is a problem document
(RFC 9457). A member that is not known is an error in a request, and to be skipped in an answer."""


def api_document(app: FastAPI) -> dict[str, Json]:
    """What `create_app` made, as an OpenAPI document."""
    document = get_openapi(
        title="Aegis control plane", version=API_VERSION, description=_DESCRIPTION, routes=app.routes
    )
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)  # FastAPI's own; ours are problem documents
    problem = ProblemDocument.model_json_schema(mode="serialization", ref_template=_SCHEMAS + "/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["ProblemDocument"] = problem
    for operations in document["paths"].values():
        for operation in operations.values():
            _answer_problems(operation)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return cast(dict[str, Json], document)


def _answer_problems(operation: dict[str, Any]) -> None:
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "Why it was not done (RFC 9457).",
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMAS}/ProblemDocument"}}},
    }
