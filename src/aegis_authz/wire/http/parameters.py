"""The parameters of an action, taken from where the catalogue says."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.catalogue import Action, Parameter, ParameterSource, ParameterType
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import pointer, strict_json

_ABSENT = object()
_BODILESS = ("GET", "HEAD")
_METHOD = "_method"


def extract(
    action: Action, body: Json, has_body: bool, variables: Mapping[str, str], query: Mapping[str, str]
) -> dict[str, Json]:
    """Collect an action's parameters.

    With declared parameters, exactly those that are present, each of its declared type; otherwise
    the members of the JSON body, the path variables and the query parameters together. What the tool
    could take for a parameter and policy would not see is refused: Refused(MALFORMED_CALL) for query
    parameters that are not declared, for the body of a GET in which none is declared, for a member that differs
    from a declared one in case alone, for a body that has no members and for `_method`. Raises
    Refused(DUPLICATE_KEY) when two sources name one parameter, Refused(PARAMETER_TYPE) for a declared
    parameter of another type.
    """
    _refuse_unseen(action, body, has_body, query)
    if not action.parameters:
        return _everything(body, has_body, variables, query)
    parameters: dict[str, Json] = {}
    for parameter in action.parameters:
        value = _value(parameter, body, variables, query)
        if value is not _ABSENT:
            parameters[parameter.name] = _typed(parameter, value)
    return parameters


def _refuse_unseen(action: Action, body: Json, has_body: bool, query: Mapping[str, str]) -> None:
    declared = {(parameter.source, parameter.at) for parameter in action.parameters}
    if action.parameters and not all((ParameterSource.QUERY, name) in declared for name in query):
        raise Refused(Reason.MALFORMED_CALL, "the query has a parameter that the action does not declare")
    if has_body and action.method in _BODILESS and not any(source is ParameterSource.BODY for source, _ in declared):
        # RFC 9110, section 9.3.1: such content has no defined meaning; one tool reads it, another does not
        raise Refused(Reason.MALFORMED_CALL, f"a {action.method} with a body in which no parameter is declared")
    members = body if isinstance(body, dict) else {}
    overrides = [(ParameterSource.QUERY, name) for name in query] + [
        (ParameterSource.BODY, f"/{name}") for name in members
    ]
    if any(at.lstrip("/").casefold() == _METHOD and (source, at) not in declared for source, at in overrides):
        # frameworks take it for the method instead of the one that was judged
        raise Refused(Reason.MALFORMED_CALL, "_method asks to be taken for another request")


def _everything(body: Json, has_body: bool, variables: Mapping[str, str], query: Mapping[str, str]) -> dict[str, Json]:
    if has_body and not isinstance(body, dict):
        raise Refused(Reason.MALFORMED_CALL, "the body is not a JSON object")
    members = body if isinstance(body, dict) else {}
    names = [*members, *variables, *query]
    folded = {name.casefold() for name in names}
    # a[] and a[x] are the parameter a to many readers of queries
    stems = {name.partition("[")[0].casefold() for name in query if "[" in name}
    if len(folded) != len(names) or stems & folded:
        raise Refused(Reason.DUPLICATE_KEY, "path, query and body name the same parameter")
    return {**members, **variables, **query}


def _value(parameter: Parameter, body: Json, variables: Mapping[str, str], query: Mapping[str, str]) -> object:
    match parameter.source:
        case ParameterSource.BODY:
            return _pointed(body, parameter.at)
        case ParameterSource.PATH:
            return _from_text(parameter, variables.get(parameter.at, _ABSENT))
        case ParameterSource.QUERY:
            return _from_text(parameter, query.get(parameter.at, _ABSENT))


def _pointed(value: Json, at: str) -> object:
    found: object = value
    for part in pointer.split(at):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdecimal() and part.isascii() and int(part) < len(found):
            found = found[int(part)]
        elif isinstance(found, dict) and any(name.casefold() == part.casefold() for name in found):
            # absent to one reader, the parameter itself to another (Go's decoder)
            raise Refused(Reason.MALFORMED_CALL, "a member differs from a declared parameter in case alone")
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
