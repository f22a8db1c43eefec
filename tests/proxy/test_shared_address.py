"""Routes of a shared address: never to another tool than the one that is judged."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.path_template import read_template
from aegis_authz.core.refused import Refused
from aegis_authz.proxy.shared_address import action_matches
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

WORDS = ("pay", "pay:send", "a,b", "{x}", "{y}", "{x}:send", "pay{x}", "{x}a{y}")


def _tools(*templates: tuple[str, ...]) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            f"t{number}",
            "api.example",
            None,
            f"http://10.0.0.{number}",
            (Action("go", "GET", template, (), False, JSON_ALONE, ONE_OPERATION),),
            "",
            "",
            None,
            False,
            False,
            NO_INTERFACE,
        )
        for number, template in enumerate(templates)
    )


def _routed(tools: tuple[Tool, ...], path: str, method: str) -> str | None:
    for tool, match in action_matches(tools):
        assert match.safe_regex is not None and match.headers[0].string_match is not None
        if re.fullmatch(match.safe_regex.regex, path) and match.headers[0].string_match.exact == method:
            return tool.name
    return None


def _judged(tools: tuple[Tool, ...], path: str, method: str) -> str | None:
    call = HttpCall("", method, "http", "api.example", None, path, "", {}, b"", "", "", "", "", "", False)
    try:
        return read_tool_call(call, Catalogue.of(tools)).tool
    except Refused:
        return None


def _spelled(character: str, encoded: bool) -> str:
    """As Envoy leaves it: only what is not unreserved (RFC 3986) stays encoded."""
    return quote(character, safe="") if encoded or character == "é" else character


TEMPLATES = st.lists(
    st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), st.sampled_from([[], [], ["{z...}"]])).map(
        lambda parts: tuple(parts[0] + parts[1])
    ),
    min_size=2,
    max_size=4,
    unique=True,
)
SEGMENT = st.one_of(st.sampled_from(WORDS[:3]), st.text("pay:send,é", min_size=0, max_size=5))
PATHS = st.lists(SEGMENT, min_size=1, max_size=3).flatmap(
    lambda segments: st.tuples(
        *(st.tuples(*(st.booleans().map(lambda e, c=c: _spelled(c, e)) for c in segment)) for segment in segments)
    )
)


def _unlike(templates: list[tuple[str, ...]]) -> bool:
    """Whether the catalogue would take them: each a template, and none that ties with another."""
    try:
        read = [read_template(template) for template in templates]
    except ValueError:
        return False
    return not any(template.may_tie(rival) for template, rival in combinations(read, 2))


@given(TEMPLATES.filter(_unlike), PATHS, st.sampled_from(["GET", "HEAD"]))
def test_a_call_is_routed_to_the_tool_it_is_judged_as(
    templates: list[tuple[str, ...]], path: tuple[tuple[str, ...], ...], method: str
) -> None:
    tools = _tools(*templates)
    spelled = "".join("/" + "".join(segment) for segment in path)
    judged = _judged(tools, spelled, method)  # None: refused, also because a server may take the path for another
    assert judged in (_routed(tools, spelled, method), None)


def test_an_action_of_head_is_routed_before_that_of_get() -> None:
    get, head = _tools(("pay",), ("{x}",))
    head = replace(head, actions=(replace(head.actions[0], method="HEAD"),))
    for path, method in (("/pay", "HEAD"), ("/pay", "GET"), ("/other", "HEAD")):
        assert _judged((get, head), path, method) == _routed((get, head), path, method) is not None


def test_the_mcp_endpoint_comes_before_all_actions() -> None:
    http = Tool(
        "http",
        "api.example",
        None,
        "http://10.0.0.1",
        (Action("go", "GET", ("{x}",), (), False, JSON_ALONE, ONE_OPERATION),),
        "",
        "",
        None,
        False,
        False,
        NO_INTERFACE,
    )
    mcp = Tool("mcp", "api.example", None, "http://10.0.0.2", (), "/mcp", "", None, False, False, NO_INTERFACE)
    (first, match), *_ = action_matches((http, mcp))
    assert (first.name, match.path) == ("mcp", "/mcp")


def test_a_route_is_for_one_method_and_get_has_another_for_head() -> None:
    methods = [
        [(header.name, header.string_match and header.string_match.exact) for header in match.headers]
        for _, match in action_matches(_tools(("pay",)))
    ]
    assert methods == [[(":method", "GET")], [(":method", "HEAD")]]
