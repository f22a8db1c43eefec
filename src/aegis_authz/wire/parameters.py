"""The parameters of an action, taken from where the catalogue says."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.catalogue import Action, Parameter, ParameterSource, ParameterType
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire import strict_json

_ABSENT = object()


def extract(
    action: Action, body: Json, has_body: bool, variables: Mapping[str, str], query: Mapping[str, Json]
) -> dict[str, Json]:
    """Collect an action's parameters.

    With declared parameters, exactly those that are present, each of its declared type; otherwise
    the members of the JSON body, the path variables and the query parameters together. Raises
    Refused(DUPLICATE_KEY) when two sources name one parameter, Refused(PARAMETER_TYPE) for a declared
    parameter of another type, Refused(MALFORMED_CALL) for a body that has no members.
    """
    if not action.parameters:
        return _everything(body, has_body, variables, query)
    parameters: dict[str, Json] = {}
    for parameter in action.parameters:
        value = _value(parameter, body, variables, query)
        if value is not _ABSENT:
            parameters[parameter.name] = _typed(parameter, value)
    return parameters


def _everything(
    body: Json, has_body: bool, variables: Mapping[str, str], query: Mapping[str, Json]
) -> dict[str, Json]:
    if has_body and not isinstance(body, dict):
        raise Refused(Reason.MALFORMED_CALL, "the body is not a JSON object")
    members = body if isinstance(body, dict) else {}
    parameters: dict[str, Json] = {**members, **variables, **query}
    if len(parameters) != len(members) + len(variables) + len(query):
        raise Refused(Reason.DUPLICATE_KEY, "path, query and body name the same parameter")
    return parameters


def _value(parameter: Parameter, body: Json, variables: Mapping[str, str], query: Mapping[str, Json]) -> object:
    match parameter.source:
        case ParameterSource.BODY:
            return _pointed(body, parameter.at)
        case ParameterSource.PATH:
            return _from_text(parameter, variables.get(parameter.at, _ABSENT))
        case ParameterSource.QUERY:
            return _from_text(parameter, query.get(parameter.at, _ABSENT))


def _pointed(value: Json, pointer: str) -> object:
    found: object = value
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and part.isascii() and int(part) < len(found):
            found = found[int(part)]
        else:
            return _ABSENT
    return found


def _from_text(parameter: Parameter, text: object) -> object:
    if not isinstance(text, str) or parameter.type in (ParameterType.STRING, ParameterType.ANY):
        return text
    try:
        return strict_json.parse(text.encode())
    except Refused:
        raise Refused(Reason.PARAMETER_TYPE, f"{parameter.name} is not a {parameter.type.value}") from None


def _typed(parameter: Parameter, value: object) -> Json:
    if not _is(parameter.type, value):
        raise Refused(Reason.PARAMETER_TYPE, f"{parameter.name} is not of type {parameter.type.value}")
    return value  # type: ignore[return-value]  # strict_json and the path gave it: it is Json


def _is(kind: ParameterType, value: object) -> bool:
    match kind:
        case ParameterType.ANY:
            return True
        case ParameterType.STRING:
            return isinstance(value, str)
        case ParameterType.BOOLEAN:
            return isinstance(value, bool)
        case ParameterType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case ParameterType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case ParameterType.ARRAY:
            return isinstance(value, list)
        case ParameterType.OBJECT:
            return isinstance(value, dict)
