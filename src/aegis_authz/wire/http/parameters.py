"""The parameters of an action, taken from where the catalogue says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from aegis_authz.core.catalogue import JSON_ALONE, Action, Parameter, ParameterSource, ParameterType
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import pointer, strict_json
from aegis_authz.encoding.folding import folded, mistakable, stem
from aegis_authz.wire.bodies.body import NO_BODY, Body, Upload
from aegis_authz.wire.http.declared_headers import Headers, header_text
from aegis_authz.wire.http.places import Places, places_of

_ABSENT = object()
_BODILESS = ("GET", "HEAD")
_METHOD = "_method"
_NUMBERS = (ParameterType.NUMBER, ParameterType.INTEGER)
_COMPOUND = (ParameterType.ARRAY, ParameterType.OBJECT, ParameterType.FILE)
_SHORT_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
"""What strict_json reads alike, at a tenth of the time."""
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")

_WHERE = {
    ParameterSource.BODY: "body",
    ParameterSource.PATH: "path",
    ParameterSource.QUERY: "query",
    ParameterSource.HEADER: "headers",
}
_ARTICLES = {kind: f"{'an' if kind.value[0] in 'aeio' else 'a'} {kind.value}" for kind in ParameterType}

Query = Mapping[str, str | list[str]]
"""The values of a query by name; those of a name that is declared as a list are one."""


def extract(
    action: Action, body: Body, variables: Mapping[str, str], query: Query, headers: Headers
) -> dict[str, Json]:
    """Collect an action's parameters.

    With declared parameters, exactly those that are present, each of its declared type (null is absent where a
    parameter is optional); otherwise
    the members of the JSON body, the path variables and the query parameters together. What the tool
    could take for a parameter and policy would not see is refused: Refused(PARAMETER_UNKNOWN) for what is not
    declared, unless the action lets others pass; Refused(MALFORMED_CALL) for a name that some reader takes for a
    declared one, for the body of a GET in which no parameter is declared, for a body that has no members and
    for `_method`; Refused(DUPLICATE_KEY) when two sources name one parameter, and for a declared header sent twice.
    Raises Refused(PARAMETER_TYPE) for a declared parameter of another type.
    """
    _refuse_disguise(action, body, query)
    if not action.parameters:
        if action.bodies != JSON_ALONE and not action.others:
            _refuse_undeclared_members(_content(body), {}, False, "/")
            refuse_undeclared(query, (), False, "query", "")
        return _everything(body, variables, query)
    if query or variables or not _holds_declared_members_alone(action, body):
        _refuse_unseen(action, body, variables, query)
    parameters: dict[str, Json] = {}
    for parameter in action.parameters:
        value = _value(parameter, body, variables, query, headers)
        if value is not _ABSENT and not is_left_out(parameter, value):
            parameters[parameter.name] = typed(parameter, value)
    return parameters


def unlisted(action: Action, body: Body, query: Query) -> dict[str, Json]:
    """What an action is sent beyond its parameters, by pointer into the body or `?name`.

    That is what it lets pass, and what is said of content that nobody looks into.
    """
    if not action.parameters or not (action.others or body.facts):
        return {}
    listed = {parameter.at for parameter in action.parameters if parameter.source is ParameterSource.QUERY}
    rest: dict[str, Json] = {
        f"?{name}": text for name, text in query.items() if isinstance(text, str) and name not in listed
    }
    _collect(body.value, places_of(action), "", rest)
    return rest


def _collect(value: Json, places: Places, at: str, rest: dict[str, Json]) -> None:
    if isinstance(value, dict):
        members: Mapping[str, Json] = value
    elif isinstance(value, list):
        members = {str(number): item for number, item in enumerate(value)}
    else:
        if value is not None:
            rest[at] = value
        return
    for name, inside in members.items():
        place = f"{at}/{pointer.escaped(name)}"
        if name not in places:
            rest[place] = inside
            continue
        below = places[name]
        if below is not None:
            _collect(inside, below, place, rest)


def is_left_out(parameter: Parameter, value: object) -> bool:
    """Whether a value says that an optional parameter is absent: null in a body."""
    return parameter.optional and value is None and parameter.source is ParameterSource.BODY


def typed(parameter: Parameter, value: object) -> Json:
    """The value, when it is of the parameter's type. Raises Refused(PARAMETER_TYPE)."""
    if not _is(parameter.type, value):
        raise mistyped(parameter, f"is {type_name(value)}")
    if parameter.items is not None and isinstance(value, list):
        for position, element in enumerate(value):
            if not _is(parameter.items, element):
                raise _misfit(parameter, position, f"is {type_name(element)}")
    return value  # type: ignore[return-value]  # strict_json and the path gave it: it is Json


def mistyped(parameter: Parameter, problem: str) -> Refused:
    """PARAMETER_TYPE: the parameter's value is not of its type. `problem` says what came, and no value."""
    sentence = f"The parameter {quoted(parameter.name)} must be {_ARTICLES[parameter.type]}, and {problem}."
    return Refused(
        Reason.PARAMETER_TYPE,
        f"{parameter.name} is not of type {parameter.type.value}",
        Fault(_WHERE[parameter.source], parameter.at, sentence),
    )


def _misfit(parameter: Parameter, position: int, problem: str) -> Refused:
    kind = parameter.items or ParameterType.STRING
    sentence = (
        f"Element {position + 1} of the parameter {quoted(parameter.name)} must be {_ARTICLES[kind]}, and {problem}."
    )
    return Refused(
        Reason.PARAMETER_TYPE,
        f"an element of {parameter.name} is not of type {kind.value}",
        Fault(_WHERE[parameter.source], parameter.at, sentence),
    )


def type_name(value: object) -> str:
    """The JSON type of a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return "an array"
        case Upload():
            return "a file"
        case _:
            return "an object"


def refuse_undeclared(names: Iterable[str], declared: Collection[str], others: bool, where: str, at: str) -> None:
    """Hold the names of an object against the declared ones. `at` is where the object is in `where`, for the caller.

    Raises Refused(MALFORMED_CALL) for a name that some reader takes for a declared one, and, unless `others` may
    pass, Refused(PARAMETER_UNKNOWN) for every other name that is not declared.
    """
    disguised = mistakable(names, declared)
    if disguised is not None:
        problem = f"The name {quoted(disguised)} is not declared, and some readers take it for one that is."
        raise Refused(
            Reason.MALFORMED_CALL,
            f"{disguised[:60]!r} is not, and to some readers is, a declared parameter",
            Fault(where, f"{at}{disguised}", problem),
        )
    unknown = None if others else next((name for name in names if name not in declared), None)
    if unknown is not None:
        raise Refused(
            Reason.PARAMETER_UNKNOWN,
            f"{unknown[:60]!r} is not declared",
            Fault(where, f"{at}{unknown}", f"The {where} names {quoted(unknown)}, which is not declared."),
        )


def _refuse_disguise(action: Action, body: Body, query: Query) -> None:
    if (
        body is not NO_BODY
        and action.method in _BODILESS
        and not any(parameter.source is ParameterSource.BODY for parameter in action.parameters)
    ):
        # RFC 9110, section 9.3.1: such content has no defined meaning; one tool reads it, another does not
        problem = f"A {action.method} has a body here, and no parameter of this action is declared in one."
        raise _malformed(f"a {action.method} with a body in which no parameter is declared", "body", "", problem)
    members = body.value if isinstance(body.value, dict) else {}
    overrides = [(ParameterSource.QUERY, name) for name in query if _is_override(name)]
    overrides += [(ParameterSource.BODY, f"/{name}") for name in members if _is_override(name)]
    if overrides and not {(parameter.source, parameter.at) for parameter in action.parameters}.issuperset(overrides):
        # frameworks take it for the method instead of the one that was judged
        problem = "A parameter _method asks some servers to take the call for one of another method."
        raise _malformed("_method asks to be taken for another request", "query", "_method", problem)


def _is_override(name: str) -> bool:
    # no name of plain signs without these letters comes to it, and every name of a call is looked at
    is_plain = name.isascii() and name.isprintable()
    return (not is_plain or "ethod" in name.lower()) and folded(name.lstrip("/")) == _METHOD


def _holds_declared_members_alone(action: Action, body: Body) -> bool:
    """Whether a body is nothing but declared members at its top: the usual call, told without looking further."""
    names = {parameter.at[1:] for parameter in action.parameters if parameter.source is ParameterSource.BODY}
    return (
        isinstance(body.value, dict)
        and body.value.keys() <= names
        and not any("/" in name or "~" in name for name in names)
    )


def _content(body: Body) -> Json:
    """What stands in a body, without what is said of it."""
    if not body.facts or not isinstance(body.value, dict):
        return body.value
    return {name: value for name, value in body.value.items() if name not in body.facts}


def _refuse_unseen(action: Action, body: Body, variables: Mapping[str, str], query: Query) -> None:
    declared_query = {parameter.at for parameter in action.parameters if parameter.source is ParameterSource.QUERY}
    places = places_of(action)
    content = _content(body)
    members = content if isinstance(content, dict) else {}
    # frameworks join path, query and body into one table: a name that is declared in one is refused in the others
    tables = (
        (
            "path",
            {parameter.at for parameter in action.parameters if parameter.source is ParameterSource.PATH},
            variables,
        ),
        ("query", declared_query, query),
        ("body", places.keys(), members),
    )
    for position, (where, _, names) in enumerate(tables):
        for place, (elsewhere, declared, _) in enumerate(tables):
            if place != position and (declared & names.keys() or mistakable(names, declared) is not None):
                name = min(declared & names.keys(), default="") or mistakable(names, declared) or ""
                problem = (
                    f"The {where} names {quoted(name)}, which is declared in the {elsewhere}, or reads like what is."
                )
                detail = "a parameter is given where it is not declared"
                raise Refused(Reason.DUPLICATE_KEY, detail, Fault(where, name, problem))
    refuse_undeclared(query, declared_query, action.others, "query", "")
    _refuse_undeclared_members(content, places, action.others, "/")


def _refuse_undeclared_members(value: Json, places: Places, others: bool, at: str) -> None:
    if isinstance(value, dict) and not isinstance(value, Upload):
        members: Mapping[str, Json] = value
    elif isinstance(value, list):
        members = {str(number): item for number, item in enumerate(value)}
    elif value is None or others:
        return
    else:
        problem = f"The body has {type_name(value)} where the declared parameters are members of an object or a list."
        detail = "a value stands where the declared parameters are members"
        raise Refused(Reason.PARAMETER_UNKNOWN, detail, Fault("body", at[:-1], problem))
    refuse_undeclared(members, places, others, "body", at)
    for name, member in members.items():
        below = places.get(name)
        if below is not None:
            _refuse_undeclared_members(member, below, others, f"{at}{pointer.escaped(name)}/")


def _everything(body: Body, variables: Mapping[str, str], query: Query) -> dict[str, Json]:
    if body is not NO_BODY and not isinstance(body.value, dict):
        problem = f"The body is {type_name(body.value)}, and must be a JSON object."
        raise _malformed("the body is not a JSON object", "body", "", problem)
    members = body.value if isinstance(body.value, dict) else {}
    names = [*members, *variables, *query]
    forms = {folded(name) for name in names}
    if len(forms) != len(names) or any("[" in name and stem(name) in forms for name in names):
        problem = "Path, query and body name one parameter twice, or by names that some readers take for one."
        raise Refused(Reason.DUPLICATE_KEY, "path, query and body name the same parameter", Fault("", "", problem))
    return {**members, **variables, **query}


def _value(parameter: Parameter, body: Body, variables: Mapping[str, str], query: Query, headers: Headers) -> object:
    match parameter.source:
        case ParameterSource.BODY:
            value = _pointed(body.value, parameter.at)
            return _from_texts(parameter, value) if body.is_text else value
        case ParameterSource.PATH:
            return _from_text(parameter, variables.get(parameter.at, _ABSENT))
        case ParameterSource.HEADER:
            header = header_text(parameter.at, headers)
            return _ABSENT if header is None else _from_text(parameter, header)
        case ParameterSource.QUERY:
            text = query.get(parameter.at, _ABSENT)
            return _elements(parameter, text) if isinstance(text, list) else _from_text(parameter, text)


def _from_texts(parameter: Parameter, value: object) -> object:
    """What stands in a form, read as the type that is declared for it."""
    if parameter.type is ParameterType.ARRAY and isinstance(value, list):
        texts = [element for element in value if isinstance(element, str)]
        return _elements(parameter, texts) if len(texts) == len(value) else value
    # JSON in a text is an object to some readers, and a text to others
    return value if parameter.type in _COMPOUND else _from_text(parameter, value)


def _pointed(value: Json, place: str) -> object:
    node: object = value
    for part in pointer.split(place):
        if isinstance(node, Upload):  # as a whole, or a field could be taken for a part of it
            return _ABSENT
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdecimal() and part.isascii() and int(part) < len(node):
            node = node[int(part)]
        else:
            return _ABSENT
    return node


def _elements(parameter: Parameter, texts: list[str]) -> list[Json]:
    """The list that a query or a form writes pair by pair."""
    kind = parameter.items or ParameterType.STRING
    if parameter.items is None and any(text.lstrip().startswith("[") for text in texts):
        # a list to who reads JSON there, and its first element to who reads pairs
        raise mistyped(parameter, "is written in brackets: write a pair for each element")
    elements: list[Json] = []
    for position, text in enumerate(texts):
        try:
            elements.append(_read(kind, text))
        except Refused:
            raise _misfit(parameter, position, "is no such value") from None
    return elements


def _from_text(parameter: Parameter, text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        return _read(parameter.type, text)
    except Refused as refusal:
        problem = "is not written in digits" if parameter.type in _NUMBERS else "is no such value in JSON's words"
        raise mistyped(parameter, problem) from refusal


def _read(kind: ParameterType, text: str) -> Json:
    """A text of a path or query as a value. Raises Refused where it is none of this kind's."""
    if kind in (ParameterType.STRING, ParameterType.ANY):
        return text
    if kind in _NUMBERS and not _PLAIN_NUMBER.match(text):
        # 99999e-5 is 99999 to whoever reads digits as far as they go
        raise Refused(Reason.PARAMETER_TYPE, "not written in digits")
    return int(text) if _SHORT_INTEGER.match(text) else strict_json.parse(text.encode())


def _malformed(detail: str, where: str, at: str, problem: str) -> Refused:
    return Refused(Reason.MALFORMED_CALL, detail, Fault(where, at, problem))


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
            return isinstance(value, dict) and not isinstance(value, Upload)
        case ParameterType.FILE:
            return isinstance(value, Upload)
