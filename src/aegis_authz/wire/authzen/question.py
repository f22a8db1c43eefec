"""A question to the evaluation endpoint, read strictly.

Source: OpenID AuthZEN Authorization API 1.0, sections 5 and 6. Members that it does not define are ignored, as it
demands; what it does define and nobody here would judge is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import is_json, media_type

REDACT = "redact"
"""The one kind of obligation a caller may say that it applies: arguments in place of its own, results handed in."""

_AGENT, _TOOL = "agent", "tool"
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `subject` may call `action` of `tool` with these arguments.

    `arguments` are as they were sent, null for what is left out included. `applies` are the kinds of obligations that
    the caller says it applies.
    """

    subject: str
    tool: str
    action: str
    arguments: Mapping[str, Json]
    applies: frozenset[str]


def read_question(http: HttpCall) -> Question:
    """Read an Access Evaluation request.

    Raises Refused(MALFORMED_CALL) for anything else, Refused(DUPLICATE_KEY) for a member that is there twice.
    """
    if http.header("content-type") is None or not is_json(media_type(http)) or http.query:
        problem = "A question is sent as application/json, to an address without a query."
        raise Refused(Reason.MALFORMED_CALL, "not a question in JSON", Fault("headers", "content-type", problem))
    body = strict_json.parse(http.body)
    subject, resource = _object(body, "", "subject"), _object(body, "", "resource")
    action = _object(body, "", "action")
    _require_type(subject, "subject", _AGENT)
    _require_type(resource, "resource", _TOOL)
    _refuse_properties(subject, "subject")
    _refuse_properties(resource, "resource")
    return Question(
        subject=_text(subject, "/subject", "id"),
        tool=_text(resource, "/resource", "id"),
        action=_text(action, "/action", "name"),
        arguments=_object(action, "/action", "properties") if "properties" in action else {},
        applies=_applies(_object(body, "", "context") if "context" in _members(body, "") else {}),
    )


def _members(value: Json, at: str) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise _malformed(at, "It must be an object.")
    return value


def _object(container: Json, at: str, name: str) -> Mapping[str, Json]:
    return _members(_members(container, at).get(name), f"{at}/{name}")


def _text(container: Mapping[str, Json], at: str, name: str) -> str:
    value = container.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise _malformed(f"{at}/{name}", f"{name} must be a text of 1 to {_LONGEST_NAME} characters.")
    return value


def _require_type(entity: Mapping[str, Json], name: str, expected: str) -> None:
    if entity.get("type") != expected:
        raise _malformed(f"/{name}/type", f"The type of the {name} must be {quoted(expected)}.")


def _refuse_properties(entity: Mapping[str, Json], name: str) -> None:
    if "properties" in entity and _object(entity, f"/{name}", "properties"):
        raise _malformed(f"/{name}/properties", f"A {name} has no properties here; the action has.")


def _applies(context: Mapping[str, Json]) -> frozenset[str]:
    kinds = context.get("obligations", [])
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise _malformed("/context/obligations", "obligations must be a list of kinds that are applied.")
    return frozenset(kind for kind in kinds if isinstance(kind, str))


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.MALFORMED_CALL, "not a question of AuthZEN", Fault("body", at, problem))
