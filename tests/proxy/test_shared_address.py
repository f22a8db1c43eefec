"""Routes of a shared address: never to another tool than the one that is judged."""

from __future__ import annotations

import re
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.catalogue import Action, Catalogue, Tool
from aegis_authz.core.refused import Refused
from aegis_authz.proxy.shared_address import action_matches
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

WORDS = ("pay", "pay:send", "a,b", "{x}", "{y}")


def _tools(*templates: tuple[str, ...]) -> tuple[Tool, ...]:
    return tuple(
        Tool(
            f"t{number}",
            "api.example",
            None,
            f"http://10.0.0.{number}",
            (Action("go", "GET", template, (), False),),
            "",
            "",
            None,
        )
        for number, template in enumerate(templates)
    )


def _routed(tools: tuple[Tool, ...], path: str) -> str | None:
    for tool, match in action_matches(tools):
        assert match.safe_regex is not None
        if re.fullmatch(match.safe_regex.regex, path):
            return tool.name
    return None


def _judged(tools: tuple[Tool, ...], path: str) -> str | None:
    call = HttpCall("", "GET", "http", "api.example", None, path, "", {}, b"", "", "", "", "")
    try:
        return read_tool_call(call, Catalogue.of(tools)).tool
    except Refused:
        return None


def _spelled(character: str, encoded: bool) -> str:
    """As Envoy leaves it: only what is not unreserved (RFC 3986) stays encoded."""
    return quote(character, safe="") if encoded or character == "é" else character


TEMPLATES = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(tuple), min_size=2, max_size=4, unique=True
)
SEGMENT = st.one_of(st.sampled_from(WORDS[:3]), st.text("pay:send,é", min_size=0, max_size=4))
PATHS = st.lists(SEGMENT, min_size=1, max_size=3).flatmap(
    lambda segments: st.tuples(
        *(st.tuples(*(st.booleans().map(lambda e, c=c: _spelled(c, e)) for c in segment)) for segment in segments)
    )
)


@given(TEMPLATES, PATHS)
def test_a_call_is_routed_to_the_tool_it_is_judged_as(
    templates: list[tuple[str, ...]], path: tuple[tuple[str, ...], ...]
) -> None:
    shapes = [tuple("{}" if part.startswith("{") else part for part in template) for template in templates]
    if len(set(shapes)) != len(shapes):
        return  # the catalogue refuses two templates of one shape
    tools = _tools(*templates)
    spelled = "".join("/" + "".join(segment) for segment in path)
    judged = _judged(tools, spelled)  # None: refused, also because a server may take the path for another
    assert judged in (_routed(tools, spelled), None)


def test_the_mcp_endpoint_comes_before_all_actions() -> None:
    http = Tool(
        "http", "api.example", None, "http://10.0.0.1", (Action("go", "GET", ("{x}",), (), False),), "", "", None
    )
    mcp = Tool("mcp", "api.example", None, "http://10.0.0.2", (), "/mcp", "", None)
    (first, match), _ = action_matches((http, mcp))
    assert (first.name, match.path) == ("mcp", "/mcp")


def test_a_route_is_for_one_method_alone() -> None:
    ((_, match),) = action_matches(_tools(("pay",)))
    assert [(header.name, header.string_match and header.string_match.exact) for header in match.headers] == [
        (":method", "GET")
    ]
