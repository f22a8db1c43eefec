"""Which reader a body has: by what its action takes, and by the media type it is declared as."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.catalogue import JSON_ALONE, Action, BodyFormat, ParameterSource
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.interface import Interface, Sending
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.bodies.body import NO_BODY, NO_FACTS, Body
from aegis_authz.wire.bodies.content import CONTENT_FACTS, TEXT_FACTS, read_content, read_text
from aegis_authz.wire.bodies.form import read_form
from aegis_authz.wire.bodies.graphql import GRAPHQL_FACTS, OPERATION_MEMBERS, read_graphql
from aegis_authz.wire.bodies.graphql_document import malformed
from aegis_authz.wire.bodies.grpc_frame import GRPC_FACTS, message_of, read_grpc, read_path
from aegis_authz.wire.bodies.lines import read_lines
from aegis_authz.wire.bodies.message import read_message
from aegis_authz.wire.bodies.multipart import boundary_of, multipart_type, read_multipart
from aegis_authz.wire.bodies.persisted import DOCUMENT_IDS
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import is_json, judged_type, media_type, plain_type
from aegis_authz.wire.http.places import places_of

FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
LINES_TYPE = "application/x-ndjson"
_LINES_TYPES = frozenset((LINES_TYPE, "application/jsonl", "application/jsonlines", "application/json-lines"))
_GRPC_TYPES = ("application/grpc", "application/grpc+proto")
_DEFAULT_TYPES = {BodyFormat.FORM: FORM_TYPE, BodyFormat.LINES: LINES_TYPE, BodyFormat.TEXT: "text/plain"}
"""What a body without a declared type goes on as, where its action takes one format alone."""
_UNDECLARED_CONTENT = "application/octet-stream"
_JSON_MEMBERS = ("variables", "extensions")
"""Those of an operation that a query of a URL writes as JSON."""


def read_body(http: HttpCall, path: str, action: Action, interface: Interface) -> Body:
    """The body of a request as one of the formats its action takes. `path` is as the tool will see it, `interface` what
    is known of the tool's messages.

    Raises Refused(BODY_TYPE_UNLISTED) where it is declared as none of them, and what the reader of its format raises.
    An action that takes JSON alone has its bodies read as JSON, whatever they are declared as.
    """
    if action.name in interface.methods:
        return _by_interface(http, path, action, interface)
    if not http.body:
        return NO_BODY
    if action.bodies == JSON_ALONE:
        return Body(_json(http), judged_type(http), NO_FACTS, False)
    declared = plain_type(http)
    return _read(_format(declared, action), http, path, declared, action)


def holds_operation(action: Action, query: Mapping[str, str | list[str]], has_body: bool) -> bool:
    """Whether a request holds an operation of GraphQL in its query.

    Raises Refused(GRAPHQL_MALFORMED) where it has a body, too, or is no GET: servers read the one or the other.
    """
    if BodyFormat.GRAPHQL not in action.bodies or query.keys().isdisjoint(_operation_names(action)):
        return False
    if has_body or action.method != "GET":
        raise malformed("query", "An operation stands in the query of the URL. Send it in the body alone.")
    return True


def _operation_names(action: Action) -> frozenset[str]:
    """Names in a query by which a server may be asked for an operation, also where the catalogue lists no documents."""
    own = {parameter.at for parameter in action.parameters if parameter.source is ParameterSource.QUERY}
    return OPERATION_MEMBERS | (frozenset(DOCUMENT_IDS) - own)


def read_operation(query: Mapping[str, str | list[str]], action: Action) -> Body:
    """The operation in the query of a GET (GraphQL over HTTP, section 6.1): what it holds is judged as a body would be.

    Raises what `read_graphql` raises, and what `strict_json` raises for variables and extensions.
    """
    request: dict[str, Json] = {**query}
    for name in _JSON_MEMBERS:
        text = query.get(name)
        if isinstance(text, str):
            request[name] = strict_json.parse(text.encode("utf-8"))
    return Body(read_graphql(request, True, action.operations), "", GRAPHQL_FACTS, False)


def _format(declared: str, action: Action) -> BodyFormat:
    formats = action.bodies
    if not declared and len(formats) == 1 and (formats[0] in _DEFAULT_TYPES or formats[0] is BodyFormat.BINARY):
        return formats[0]
    likely = _likely(declared)
    if likely is BodyFormat.JSON and BodyFormat.GRAPHQL in formats:
        return BodyFormat.GRAPHQL
    if likely in formats:
        return likely
    if declared and BodyFormat.BINARY in formats:
        return BodyFormat.BINARY
    taken = ", ".join(body.value for body in formats)
    what = f"is declared as {quoted(declared)}" if declared else "has no content-type"
    problem = f"The body {what}. This action takes: {taken}."
    raise Refused(
        Reason.BODY_TYPE_UNLISTED, f"a body of {declared[:60] or 'no type'}", Fault("headers", "content-type", problem)
    )


def _likely(declared: str) -> BodyFormat:
    if declared == FORM_TYPE:
        return BodyFormat.FORM
    if declared == MULTIPART_TYPE:
        return BodyFormat.MULTIPART
    if declared in _LINES_TYPES:
        return BodyFormat.LINES
    if declared in _GRPC_TYPES:
        return BodyFormat.MESSAGE
    if declared.startswith("text/"):
        return BodyFormat.TEXT
    return BodyFormat.JSON if not declared or is_json(declared) else BodyFormat.BINARY


def _by_interface(http: HttpCall, path: str, action: Action, interface: Interface) -> Body:
    """The message of a call whose type is known, or of a call that sends several what may be said of it."""
    method = interface.methods[action.name]
    if method.sending is Sending.STREAM:
        problem = "The catalogue lets no stream of messages to this method pass: its action has no stream: opaque."
        raise Refused(Reason.STREAM_UNLISTED, "a method that is sent several messages", Fault("path", "", problem))
    declared = plain_type(http)
    _format(declared, action)
    if method.sending is Sending.OPAQUE:
        return Body(read_path(path), declared, GRPC_FACTS, False)
    message = message_of(http.body)
    # where none is listed and others pass, every field is a parameter
    places = None if action.others and not action.parameters else places_of(action)
    value = read_message(message, method.request, interface, places, action.others)
    return Body(value, declared, NO_FACTS, False)


def _read(body_format: BodyFormat, http: HttpCall, path: str, declared: str, action: Action) -> Body:
    data, fallback = http.body, declared or _DEFAULT_TYPES.get(body_format, _UNDECLARED_CONTENT)
    match body_format:
        case BodyFormat.JSON:
            return Body(_json(http), judged_type(http), NO_FACTS, False)
        case BodyFormat.FORM:
            return Body(read_form(data, action.repeated_fields), FORM_TYPE, NO_FACTS, True)
        case BodyFormat.MULTIPART:
            boundary = boundary_of(http.header("content-type") or "")
            value = read_multipart(data, boundary, action.repeated_fields)
            return Body(value, multipart_type(boundary), NO_FACTS, True)
        case BodyFormat.LINES:
            return Body(read_lines(data), fallback, NO_FACTS, False)
        case BodyFormat.TEXT:
            return Body(read_text(data, fallback), f"{fallback}; charset=utf-8", TEXT_FACTS, False)
        case BodyFormat.BINARY:
            return Body(read_content(data, fallback), fallback, CONTENT_FACTS, False)
        case BodyFormat.GRAPHQL:
            return Body(read_graphql(_json(http), False, action.operations), judged_type(http), GRAPHQL_FACTS, False)
        case BodyFormat.MESSAGE:
            return Body(read_grpc(data, path), declared, GRPC_FACTS, False)


def _json(http: HttpCall) -> Json:
    try:
        return strict_json.parse(http.body)
    except Refused as refusal:
        declared = media_type(http)
        if refusal.fault is None or declared == "" or is_json(declared):
            raise
        problem = f"The body is judged as JSON, and declared as {quoted(declared)}. {refusal.fault.problem}"
        raise Refused(refusal.reason, refusal.detail, Fault("body", refusal.fault.at, problem)) from None
