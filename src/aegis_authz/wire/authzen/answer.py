"""What a question is answered: an Access Evaluation response whose `decision` alone is safe to go by.

`true` says that the function may be called now, with the obligations in the context met by whoever said that it meets
them; every other answer is `false`. Source: OpenID AuthZEN Authorization API 1.0, section 6.2; the Access Request and
Approval Profile 1.0, draft 1, for `evaluation_id` and `access_request`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from aegis_authz.core.json_value import Json

REQUESTS_PATH = "/access/v1/requests"
_REPEATED = ("decision", "error", "status", "type", "title")
"""Members of a problem document that a context says otherwise, or not at all."""


def allowance(effect: str, decision_id: str, obligations: list[Json], outcome: Mapping[str, Json]) -> bytes:
    """A function may be called. `outcome` says where and with what its outcome is reported."""
    context: dict[str, Json] = {"effect": effect, "decision_id": decision_id, "outcome": dict(outcome)}
    if obligations:
        context["obligations"] = obligations
    return orjson.dumps({"decision": True, "context": context})


def refusal(problem: Mapping[str, Json]) -> bytes:
    """A function may not be called, for what a problem document says."""
    context: dict[str, Json] = {name: value for name, value in problem.items() if name not in _REPEATED}
    context["effect"] = problem.get("decision", "deny")
    approval = problem.get("approval")
    if isinstance(approval, dict):
        context |= _access_request(approval)
    return orjson.dumps({"decision": False, "context": context})


def argument_obligation(arguments: Mapping[str, Json]) -> Json:
    """The function is called with these in place of the arguments that were asked about."""
    return {"id": "arguments", "type": "redact", "properties": {"arguments": dict(arguments)}}


def result_obligation() -> Json:
    """The function's result is reported with its outcome, and what comes back takes its place."""
    return {"id": "result", "type": "redact"}


def _access_request(approval: Mapping[str, Json]) -> dict[str, Json]:
    """How a decision is asked for, where there is somewhere to ask."""
    status_url, ends = approval.get("status_url"), approval.get("expires_at")
    if not isinstance(status_url, str) or not status_url or isinstance(ends, bool) or not isinstance(ends, int | float):
        return {}
    control = status_url.partition("/v1/approvals/")[0]
    # cut, not rounded: nobody is told that it lasts longer than it does
    expires = datetime.fromtimestamp(ends, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "evaluation_id": approval.get("id"),
        "access_request": {"endpoint": f"{control}{REQUESTS_PATH}", "expires_at": expires},
    }
