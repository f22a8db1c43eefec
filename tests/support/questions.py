"""Questions to the evaluation endpoint, as the pipeline gets them."""

from __future__ import annotations

from typing import Any

import orjson

from aegis_authz.server.evaluation_app import EVALUATION_LISTENER, EVALUATION_PATH
from aegis_authz.wire.http.call import HttpCall


def question_document(agent: str, tool: str, action: str, arguments: dict[str, Any], *applies: str) -> dict[str, Any]:
    """An Access Evaluation request, for a caller that applies these kinds of obligations."""
    document: dict[str, Any] = {
        "subject": {"type": "agent", "id": agent},
        "resource": {"type": "tool", "id": tool},
        "action": {"name": action, "properties": arguments},
    }
    return {**document, "context": {"obligations": list(applies)}} if applies else document


def question(token: str, document: dict[str, Any]) -> HttpCall:
    """The question as it comes from the endpoint."""
    return HttpCall(
        request_id="",
        method="POST",
        scheme="http",
        host="127.0.0.1",
        port=7,
        path=EVALUATION_PATH,
        query="",
        headers={"content-type": ("application/json",), "x-aegis-token": (token,)},
        body=orjson.dumps(document),
        source="",
        tool_hint="",
        route="",
        listener=EVALUATION_LISTENER,
        principal="",
        over_tls=False,
        is_question=True,
    )
