from __future__ import annotations

import pytest
import yaml

from aegis_authz.agent.clients.servers import server_of
from aegis_authz.agent.mcp.importing import ListedServer, ListedTool, cases_text, catalogue_text, policy_text
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.policy.load import load

AGENT = Scope("acme", "dev", "assistant")


def listed(entry: dict[str, Json], *tools: ListedTool, name: str = "notes") -> ListedServer:
    return ListedServer(server_of(("mcpServers", name), entry), tools, 0 if "url" in entry else 9101)


def tool(name: str, is_read_only: bool = False, **properties: Json) -> ListedTool:
    return ListedTool(name, "", {"type": "object", "properties": properties}, is_read_only)


def parameters(**properties: Json) -> object:
    text = catalogue_text(listed({"command": "x"}, tool("t", **properties)), "me")
    return yaml.safe_load(text)["mcp"]["tools"]["t"]["parameters"]


@pytest.mark.parametrize(
    ("schema", "parameter"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer", "minimum": 1}, "integer"),
        ({"type": ["string", "null"]}, {"type": "string", "optional": True}),
        ({"anyOf": [{"type": "array"}, {"type": "null"}], "default": None}, {"type": "array", "optional": True}),
        ({"oneOf": [{"type": "string"}, {"type": "number"}]}, "any"),
        ({"anyOf": [{"type": "string"}, {"$ref": "#/x"}]}, "any"),
        ({"$ref": "#/x"}, "any"),
        ({"type": "null"}, "any"),
        ({"type": "file"}, "any"),
        ({}, "any"),
        (True, "any"),
    ],
)
def test_a_parameter_has_the_type_that_its_schema_says_in_plain_words(schema: Json, parameter: object) -> None:
    assert parameters(p=schema) == {"p": parameter}


def test_a_server_over_stdio_gets_a_place_to_be_wrapped_at() -> None:
    entry = yaml.safe_load(catalogue_text(listed({"command": "npx"}, tool("t"), name="My Notes!"), "me"))
    assert (entry["tool"], entry["host"], entry["upstream"]) == (
        *("my-notes", "my-notes.mcp.internal"),
        "http://127.0.0.1:9101/mcp",
    )


def test_a_server_over_http_keeps_its_address_and_tells_no_secret() -> None:
    server = listed({"url": "https://u:pw@Mcp.example:443/v1/mcp/?key=secret", "headers": {"a": "secret"}}, tool("t"))
    text = catalogue_text(server, "me")
    entry = yaml.safe_load(text)
    assert (entry["host"], entry["upstream"]) == ("Mcp.example", "https://Mcp.example:443/v1/mcp")
    assert "secret" not in text
    assert "pw" not in text


def test_what_calls_itself_read_only_is_allowed_and_the_rest_waits() -> None:
    servers = [listed({"command": "x"}, tool("read", True, id={"type": "string"}), tool("write"), tool("erase"))]
    policy = policy_text(servers, AGENT, "me")
    reading, writing = yaml.safe_load(policy)["allowed_tools"]
    assert (reading["actions"], "approval" in reading) == (["read"], False)
    assert (writing["actions"], writing["approval"]["always"]) == (["write", "erase"], True)
    assert [test["expect"]["effect"] for test in yaml.safe_load(cases_text(servers, AGENT))["tests"]] == [
        *("allow", "approval_needed")
    ]
    loaded = load({"agents/a.yaml": policy}, {"tools/a.yaml": catalogue_text(servers[0], "me")})
    assert [document.scope for document in loaded.policies] == [str(AGENT)]


def test_an_open_schema_stays_open_in_the_catalogue() -> None:
    schema: dict[str, Json] = {"properties": {"a": {"type": "string"}}, "additionalProperties": True}
    text = catalogue_text(listed({"command": "x"}, ListedTool("t", "x" * 500, schema, False)), "me")
    entry = yaml.safe_load(text)["mcp"]["tools"]["t"]
    assert entry["others"] == "allow"
    assert len(entry["description"]) < 210
