"""The dearest calls as a whole: what stands in queries, what parameters are made of, messages of MCP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from aegis_authz.core.catalogue import (
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.encoding import strict_json
from aegis_authz.wire.http.tool_call import read_tool_call
from aegis_authz.wire.spellings import MOST_SPELLINGS
from benchmarks.worst.bodies import forget, request
from benchmarks.worst.cases import KIB, SIZES, Case, Kind, joined

_LONGEST_QUERY = 32 * KIB
"""Bytes; all headers of a request have some more (proxy/connection.py)."""
_ODD = "\u0130"
_NAMES = 20


def _catalogue(parameters: tuple[Parameter, ...], mcp_endpoint: str, others: bool) -> Catalogue:
    action = Action("call", "POST", ("v1.Service", "Call"), parameters, others, JSON_ALONE, ONE_OPERATION)
    rest = ("", None, False, False, NO_INTERFACE)
    actions = () if mcp_endpoint else (action,)
    return Catalogue.of((Tool("dear", "dear.example", None, "", actions, mcp_endpoint, *rest),))


_OPEN = _catalogue((), "", False)
_LISTED = _catalogue(
    tuple(
        Parameter(f"{name:x}", ParameterSource.BODY, f"/rows/{name:x}", ParameterType.ANY, True, None)
        for name in range(_NAMES)
    ),
    "",
    True,
)
_MCP = _catalogue((), "/v1.Service/Call", False)
_MESSAGE = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":'
QUERY_SHAPES: Mapping[str, Callable[[int], bytes]] = {
    "short names": joined("", lambda n: f"{n:x}", "", _LONGEST_QUERY, "&"),
    "names in other letters": joined("", lambda n: f"%C4%B0{n:x}", "", MOST_SPELLINGS - 1, "&"),
    "names in capitals": joined("", lambda n: f"A{n:x}", "", _LONGEST_QUERY, "&"),
}
PARAMETER_SHAPES: Mapping[str, tuple[Catalogue, Callable[[int], bytes]]] = {
    "names in other letters, none listed": (_OPEN, joined("{ ", lambda n: f'"{_ODD}{n:x}":1', "}", MOST_SPELLINGS - 1)),
    "short names, none listed": (_OPEN, joined("{ ", lambda n: f'"{n:x}":1', "}", strict_json.MAX_MEMBERS - 1)),
    "names in capitals, none listed": (_OPEN, joined("{ ", lambda n: f'"A{n:x}":1', "}", strict_json.MAX_MEMBERS - 1)),
    "objects in lists, none listed": (
        _OPEN,
        joined('{"a":[ ', lambda _: '{"a":1}', "]}", strict_json.MAX_MEMBERS - 2),
    ),
    "members beside those that are listed": (
        _LISTED,
        joined('{"rows":{ ', lambda n: f'"A{n:x}":1', "}}", strict_json.MAX_MEMBERS - 2),
    ),
}
MCP_SHAPES: Mapping[str, Callable[[int], bytes]] = {
    "arguments with short names": joined(f"{_MESSAGE}{{", lambda n: f'"{n:x}":1', "}}}", strict_json.MAX_MEMBERS - 8),
    "arguments with names in capitals": joined(
        f"{_MESSAGE}{{", lambda n: f'"A{n:x}":1', "}}}", strict_json.MAX_MEMBERS - 8
    ),
}


def cases() -> Iterator[Case]:
    """Every shape in every size."""
    for words, text in QUERY_SHAPES.items():
        for query in dict.fromkeys(text(size) for size in (SIZES[0], SIZES[1])):
            yield _call("query", words, _OPEN, b"", query.decode())
    for words, (catalogue, body) in PARAMETER_SHAPES.items():
        for text_of_call in dict.fromkeys(map(body, SIZES)):
            yield _call("parameters", words, catalogue, text_of_call, "")
    for words, body in MCP_SHAPES.items():
        for message in dict.fromkeys(map(body, SIZES)):
            yield _call("MCP", words, _MCP, message, "")


def _call(subject: str, words: str, catalogue: Catalogue, body: bytes, query: str) -> Case:
    http = request(body, "application/json", query)
    size = len(body) + len(query)
    return Case(*(Kind.CALL, subject, words, size, size, partial(read_tool_call, http, catalogue)), forget=forget)
