"""The tool catalogue: entries, and what would leave a request in doubt."""

from __future__ import annotations

import pytest

from aegis_authz.core.catalogue import (
    JSON_ALONE,
    NO_ROUTE,
    ONE_OPERATION,
    Action,
    BodyFormat,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors


def tools(text: str) -> tuple[Tool, ...]:
    return load({}, {"tools.yaml": text}).tools


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        tools(text)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def http_tool(name: str, host: str, **actions: str) -> str:
    lines = "".join(f"  {action}: {{match: '{match}'}}\n" for action, match in actions.items())
    return f"tool: {name}\nhost: {host}\nactions:\n{lines}---\n"


def test_an_http_tool_becomes_its_core_value() -> None:
    (tool,) = tools("""
tool: search
host: API.Search.example:8080
upstream: https://10.0.0.7:9001/
region: eu
cost: {fixed: 0.01, currency: USD}
actions:
  find:
    match: GET /v1/{index}/find
    parameters:
      index: {from: "{index}", type: string}
      limit: {from: "?limit", type: integer}
      body: {from: /a~1b/0}
""")
    assert tool == Tool(
        name="search",
        host="api.search.example",
        port=8080,
        upstream="https://10.0.0.7:9001",
        actions=(
            Action(
                "find",
                "GET",
                ("v1", "{index}", "find"),
                (
                    Parameter("body", ParameterSource.BODY, "/a~1b/0", ParameterType.ANY, False, None),
                    Parameter("index", ParameterSource.PATH, "index", ParameterType.STRING, False, None),
                    Parameter("limit", ParameterSource.QUERY, "limit", ParameterType.INTEGER, False, None),
                ),
                False,
                JSON_ALONE,
                ONE_OPERATION,
            ),
        ),
        mcp_endpoint="",
        region="eu",
        mcp_tools=None,
        websocket=False,
        decode=False,
        interface=NO_INTERFACE,
    )


def test_arguments_of_an_mcp_tool_are_written_as_types_or_in_full() -> None:
    (tool,) = tools("""
tool: hub
host: hub.example
mcp:
  tools:
    find: {parameters: {owner: string, label: {type: string, optional: true}}}
""")
    assert tool.mcp_tools is not None
    assert tool.mcp_tools["find"].parameters == (
        Parameter("label", ParameterSource.BODY, "/label", ParameterType.STRING, True, None),
        Parameter("owner", ParameterSource.BODY, "/owner", ParameterType.STRING, False, None),
    )


def test_the_path_of_an_mcp_upstream_is_the_endpoint() -> None:
    for upstream, base, path in (
        ("upstream: http://127.0.0.1:9002/srv/mcp", "http://127.0.0.1:9002", "/srv/mcp"),
        ("upstream: http://127.0.0.1:9002", "http://127.0.0.1:9002", "/mcp"),
        ("upstream: http://127.0.0.1:9002/srv/mcp/", "http://127.0.0.1:9002", "/srv/mcp/"),
        ("upstream: http://127.0.0.1:9002/", "http://127.0.0.1:9002", "/"),
        ("", "", "/mcp"),
    ):
        (tool,) = tools(f"tool: hub\nhost: hub.example\n{upstream}\nmcp: {{}}\n")
        assert (tool.upstream, tool.mcp_path, tool.is_mcp) == (base, path, True)


def test_an_mcp_upstream_may_have_a_query_and_let_agents_add_to_it() -> None:
    upstream = "http://127.0.0.1:9002/mcp/?toolsets=issues,repos&read%20only=1"
    (tool,) = tools(f"tool: hub\nhost: hub.example\nupstream: {upstream}\nmcp: {{query: [project, branch]}}\n")
    assert (tool.upstream, tool.mcp_path) == ("http://127.0.0.1:9002", "/mcp/")
    assert (tool.mcp_query, tool.mcp_agent_query) == ("toolsets=issues,repos&read%20only=1", ("branch", "project"))
    assert tools_from_data(tools_to_data([tool])) == (tool,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tool: x\nhost: x.example\n", "must have either actions (an HTTP API) or mcp"),
        ("tool: x\nhost: x.example\nmcp: {}\nactions: {a: {match: GET /}}\n", "must have either actions"),
        ("tool: x\nhost: x.example\nactions: {}\n", "actions: must not be empty"),
        ("tool: x\nhost: http://x.example\nmcp: {}\n", "host: 'http://x.example' has no port"),
        ("tool: x\nhost: x.example:99999\nmcp: {}\n", "host: 'x.example:99999' has no port"),
        ('tool: x\nhost: "x.example:"\nmcp: {}\n', "has no port"),
        ("tool: x\nhost: x.example\nupstream: ftp://y\nmcp: {}\n", "upstream: must be http:// or https://"),
        ("tool: x\nhost: x.example\nupstream: http://u:p@y\nmcp: {}\n", "upstream: must be http:// or https://"),
        ("tool: x\nhost: x.example\nupstream: http://y#q\nmcp: {}\n", "upstream: must be http:// or https://"),
        ("tool: x\nhost: x.example\nupstream: http://y?a=1;b\nmcp: {}\n", "upstream: has a query that is not"),
        ("tool: x\nhost: x.example\nupstream: http://y?\nmcp: {}\n", "upstream: has a query that is not"),
        ("tool: x\nhost: x.example\nupstream: http://y?a={b}\nmcp: {}\n", "upstream: has a query that is not"),
        ("tool: x\nhost: x.example\nupstream: http://y?a=1\nmcp: {query: [A]}\n", "'A' is in the query of upstream"),
        ("tool: x\nhost: x.example\nmcp: {query: [a, A]}\n", "names 'A' twice"),
        ("tool: x\nhost: x.example\nmcp: {query: ['a}b']}\n", "names no query parameter"),
        ("tool: x\nhost: x.example\nupstream: http://y/?a\nactions: {a: {match: GET /}}\n", "no path and no query"),
        ("tool: x\nhost: x.example\nupstream: http://y/api\nactions: {a: {match: GET /}}\n", "has no path"),
        ("tool: x\nhost: x.example\nmcp: {path: /y}\n", "unknown key 'path'"),
        (http_tool("x", "x.example", a="get /"), "must be a method and a path"),
        (http_tool("x", "x.example", a="GET /a/../b"), "does not climb"),
        (http_tool("x", "x.example", a="GET /a//b"), "has an empty segment"),
        (http_tool("x", "x.example", a="GET /a{b"), "'a{b' is neither plain text nor text with {variables}"),
        (http_tool("x", "x.example", a="GET /{a}{b}"), "two variables with nothing between them"),
        (http_tool("x", "x.example", a="GET /{a...}/b"), "is the whole last segment"),
        (http_tool("x", "x.example", a="GET /v{a...}"), "is the whole last segment"),
        (http_tool("x", "x.example", a="GET /{a}.{a}"), "names a path variable twice"),
        (http_tool("x", "x.example", a="GET /{a..}"), "neither plain text"),
        (http_tool("x", "x.example", a="GET /{b}/{b}"), "names a path variable twice"),
        (http_tool("x", "x.example", a="GET /a;b"), "neither plain text"),
        ("tool: x\nhost: x.example\nactions: {a: {match: GET /, parameters: {q: {from: q}}}}\n", "from must be"),
        (
            "tool: x\nhost: x.example\nactions: {a: {match: GET /, parameters: {q: {from: '?q', optional: true}}}}\n",
            "optional is about null in a body",
        ),
        ("tool: x\nhost: x.example\nmcp: {tools: {a: {parameters: {q: strin}}}}\n", "parameters.q"),
        ("tool: x\nhost: x.example\nmcp: {tools: {a: {parameters: {q: {optional: true}}}}}\n", "parameters.q"),
        (
            "tool: x\nhost: x.example\nactions: {a: {match: GET /, parameters: {q: {from: '{q}'}}}}\n",
            "no variable '{q}'",
        ),
    ],
)
def test_mistakes_are_named(text: str, expected: str) -> None:
    (problem,) = problems(text)
    assert expected in problem


def test_two_actions_that_match_the_same_request_are_refused() -> None:
    assert problems(http_tool("x", "x.example", a="GET /v/{id}", b="GET /v/{name}")) == [
        "tools.yaml:5:14: actions.b.match: matches the same requests as action 'a'"
    ]
    assert len(problems(http_tool("x", "x.example", a="GET /v") + http_tool("z", "x.example", b="GET /v"))) == 1


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("GET /f/{path...}", "GET /f/{rest...}"),
        ("GET /f/{id}.json", "GET /f/{name}.json"),
        ("GET /f/{id}.json", "GET /f/v{n}"),
        ("GET /f/{a}-{b}", "GET /f/{a}.{b}"),
        ("GET /f/{a}:get/{x...}", "GET /f/v{b}/{y...}"),
    ],
)
def test_two_actions_that_match_some_same_request_are_refused_by_name_in_either_order(earlier: str, later: str) -> None:
    for first, second in ((earlier, later), (later, earlier)):
        (problem,) = problems(http_tool("x", "x.example", a=first, b=second))
        assert "actions.b.match: matches" in problem and "same requests as action 'a'" in problem
        (problem,) = problems(http_tool("x", "x.example", a=first) + http_tool("z", "x.example", b=second))
        assert "same requests as 'a' of 'x'" in problem


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("GET /f/{path...}", "GET /f/{id}"),
        ("GET /f/{path...}", "GET /f/{id}/{path...}"),
        ("GET /f/{path...}", "GET /{path...}"),
        ("GET /f/{id}.json", "GET /f/{id}"),
        ("GET /f/{id}.json", "GET /f/{id}.xml"),
        ("GET /f/{id}:open", "GET /f/{id}:close"),
        ("GET /f/{id}.json", "GET /f/{id}.json/raw"),
        ("GET /f/{id}.json", "GET /f/all.json"),
        ("GET /f/{id}", "HEAD /f/{id}"),
    ],
)
def test_of_unlike_templates_one_comes_first(earlier: str, later: str) -> None:
    assert tools(http_tool("x", "x.example", a=earlier, b=later))


def test_a_list_says_of_what_type_its_elements_are() -> None:
    text = "tool: x\nhost: x.example\nactions: {a: {match: GET /, parameters: {ids: {from: '?id[]', type: array, items: integer}}}}\n"
    ((action,),) = (tool.actions for tool in tools(text))
    assert action.parameters == (
        Parameter("ids", ParameterSource.QUERY, "id[]", ParameterType.ARRAY, False, ParameterType.INTEGER),
    )
    (problem,) = problems(text.replace("type: array", "type: string"))
    assert "needs type: array" in problem
    (problem,) = problems(text.replace("items: integer", "items: object"))
    assert "items" in problem


def test_a_tail_is_named_as_every_variable() -> None:
    text = "tool: x\nhost: x.example\nactions: {a: {match: 'GET /f/{path...}', parameters: {p: {from: '{path}', type: string}}}}\n"
    ((action,),) = (tool.actions for tool in tools(text))
    assert action.template == ("f", "{path...}")
    assert action.parameters == (Parameter("p", ParameterSource.PATH, "path", ParameterType.STRING, False, None),)


def test_an_endpoint_of_an_mcp_server_in_a_tail_is_refused() -> None:
    mcp = "tool: m\nhost: x.example\nmcp: {}\n---\n"
    assert "has the endpoint's path" in problems(http_tool("x", "x.example", a="POST /{any...}") + mcp)[0]


def test_a_literal_before_a_variable_is_no_ambiguity() -> None:
    assert tools(http_tool("x", "x.example", a="GET /v/{id}", b="GET /v/new", c="POST /v/{id}", d="GET /{v}/new"))
    assert tools(http_tool("x", "x.example", a="GET /v") + http_tool("z", "x.example:8080", b="GET /v"))


def test_one_name_and_one_endpoint_belong_to_one_tool() -> None:
    assert (
        "another tool is named 'x'"
        in problems(http_tool("x", "a.example", a="GET /") + http_tool("x", "b.example", a="GET /"))[0]
    )
    mcp = "tool: m\nhost: x.example\nmcp: {}\n---\n"
    assert "is an MCP server at the same address" in problems(mcp + mcp.replace("m\n", "o\n", 1))[0]
    assert "is the MCP endpoint of tool 'm'" in problems(mcp + http_tool("x", "x.example", a="POST /{any}"))[0]
    assert "has the endpoint's path" in problems(http_tool("x", "x.example", a="POST /mcp") + mcp)[0]


def test_an_action_says_which_bodies_it_takes() -> None:
    text = """
tool: files
host: files.example
actions:
  upload:
    match: POST /files
    body: multipart
    parameters: {file: {from: /file, type: file}}
  pay: {match: POST /pay, body: [form, json]}
  note: {match: POST /notes}
"""
    (tool,) = tools(text)
    assert {action.name: action.bodies for action in tool.actions} == {
        "note": JSON_ALONE,
        "pay": (BodyFormat.FORM, BodyFormat.JSON),
        "upload": (BodyFormat.MULTIPART,),
    }
    assert tools_from_data(tools_to_data([tool])) == (tool,)
    for body in ("xml", "[]", "[form, form]"):
        assert "tools.yaml:7:" in problems(text.replace("multipart", body))[0]


def test_a_tool_says_whether_it_takes_encoded_bodies_and_none_does_by_itself() -> None:
    text = "tool: a\nhost: a.example\n{}actions: {{pay: {{match: POST /v1}}}}\n"
    for line, decodes in (("", False), ("decode: false\n", False), ("decode: true\n", True)):
        loaded = tools(text.format(line))
        assert loaded[0].decode is decodes
        assert tools_from_data(tools_to_data(loaded)) == loaded


@pytest.mark.parametrize("value", ["yes please", "gzip", "1", '"true"', "[gzip]", "null"])
def test_encoded_bodies_are_taken_by_a_truth_alone(value: str) -> None:
    assert problems(f"tool: a\nhost: a.example\ndecode: {value}\nactions: {{pay: {{match: POST /v1}}}}\n")


def test_nothing_is_decoded_that_is_passed_through_unopened() -> None:
    found = problems("tool: a\nhost: a.example\ntls: passthrough\ndecode: true\n")
    assert "there is no body to decode" in found[0]


FUNCTIONS = "tool: people\nfunctions:\n  find: {parameters: {name: string, remark: {type: string, optional: true}}}\n"


def test_functions_are_a_tool_that_no_request_reaches() -> None:
    catalogue = load(
        {}, {"tools.yaml": f"{FUNCTIONS}---\n{http_tool('shop', 'shop.example', buy='POST /buy')}"}
    ).catalogue
    people = catalogue.by_name["people"]
    assert (people.is_function, people.host, people.route) == (True, "", NO_ROUTE)
    assert [parameter.name for parameter in people.parameters_of("find")] == ["name", "remark"]
    assert [tool.name for tool in catalogue.reached] == ["shop"]
    assert list(catalogue.by_address) == [("shop.example", None)]
    assert tools_from_data(tools_to_data([people])) == (people,)


def test_two_tools_of_functions_leave_no_doubt() -> None:
    assert len(tools(f"{FUNCTIONS}---\n{FUNCTIONS.replace('people', 'places')}")) == 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("host: a.example\n", "has functions, which no request reaches: host is about requests"),
        ("decode: true\n", "has functions, which no request reaches: decode is about requests"),
        ("tls: passthrough\n", "has functions, which no request reaches: tls is about requests"),
        ("mcp: {}\n", "has functions, which no request reaches: mcp is about requests"),
    ],
)
def test_functions_have_nothing_that_is_about_requests(words: str, problem: str) -> None:
    assert any(problem in found for found in problems(FUNCTIONS + words))


def test_only_functions_have_no_host() -> None:
    assert any("must have the host that agents call" in found for found in problems("tool: shop\nmcp: {}\n"))


def test_a_function_is_named_as_actions_are() -> None:
    found = problems("tool: people\nfunctions:\n  find all: {}\n")
    assert any("an action is named with letters" in problem for problem in found)
