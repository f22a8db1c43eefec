"""`aegis tools`: what is written, what is said of it, and how it ends."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest
import yaml
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.demo.serving import serving
from tests.support.descriptors import descriptor_set

SHOP = {
    "openapi": "3.0.3",
    "info": {"title": "Shop"},
    "servers": [{"url": "https://shop.example"}],
    "paths": {
        "/orders": {
            "post": {
                "operationId": "order",
                "requestBody": {
                    "content": {"application/json": {"schema": {"properties": {"total": {"type": "number"}}}}}
                },
            },
            "get": {"operationId": "orders", "parameters": [{"in": "cookie", "name": "session"}]},
        }
    },
}
ENTRY = """\
tool: shop
host: shop.example
actions:
  orders:
    match: GET /orders
  order:
    match: POST /orders
    parameters:
      total: {from: /total, type: number}
"""


@pytest.fixture
def description(tmp_path: Path) -> Path:
    path = tmp_path / "shop.json"
    path.write_text(json.dumps(SHOP), "utf-8")
    return path


def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["tools", *words], input=stdin)
    return result.exit_code, result.stdout, result.stderr


def test_an_entry_is_written_and_what_it_leaves_out_is_said(description: Path, tmp_path: Path) -> None:
    code, _, said = run("import", "openapi", str(description), "--out", str(tmp_path / "tools"))
    assert code == 0
    assert (tmp_path / "tools" / "shop.yaml").read_text("utf-8") == ENTRY
    assert said.splitlines() == [
        "shop: 2 actions, 1 of them not in full; 0 operations left out",
        "1 action lists no parameters and takes any: orders",
        "  orders: the cookie parameter 'session' is not judged",
        f"wrote {tmp_path / 'tools' / 'shop.yaml'}",
    ]


def test_nothing_that_is_there_is_overwritten(description: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("mine", "utf-8")
    code, _, said = run("import", "openapi", str(description), "--out", str(tmp_path))
    assert (code, (tmp_path / "shop.yaml").read_text("utf-8")) == (2, "mine")
    assert "nothing is overwritten" in said


def test_a_description_in_yaml_is_read_as_one_in_json(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(SHOP, sort_keys=False), "utf-8")
    assert run("import", "openapi", str(path), "--out", "-")[1] == ENTRY


def test_the_whole_import_is_there_as_json(description: Path) -> None:
    code, output, _ = run("import", "openapi", str(description), "--out", "-", "--json")
    document = json.loads(output)
    assert (code, document["actions"], document["unlisted"], document["file"]) == (0, 2, ["orders"], "")
    assert document["gaps"][0]["operation"] == "orders"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"swagger": "2.0"}', "Swagger 2.0 is not read"),
        ("{", "is not JSON"),
        ("a: [", "neither JSON nor YAML"),
        ("- 1", "a mapping is needed"),
    ],
)
def test_what_is_no_description_is_refused_with_its_name(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "api.txt"
    path.write_text(text, "utf-8")
    code, _, said = run("import", "openapi", str(path), "--out", "-")
    assert (code, sentence in said) == (2, True), said


def test_a_missing_file_is_named() -> None:
    code, _, said = run("import", "openapi", "/nowhere/api.json")
    assert (code, "/nowhere/api.json" in said) == (2, True)


async def test_a_description_is_read_from_a_url_and_its_server_may_be_relative_to_it(tmp_path: Path) -> None:
    async def answer(_: Request) -> Response:
        return JSONResponse({**SHOP, "servers": [{"url": "/v2"}]})

    async def away(_: Request) -> Response:
        return RedirectResponse("/api.json")

    tool = Starlette(routes=[Route("/api.json", answer), Route("/moved", away)])
    async with serving(tool) as port:
        url = f"http://127.0.0.1:{port}"
        code, output, _ = await asyncio.to_thread(run, "import", "openapi", f"{url}/moved", "--out", "-")
        missing = await asyncio.to_thread(run, "import", "openapi", f"{url}/none", "--out", "-")
    assert (code, f"host: 127.0.0.1:{port}" in output, "POST /v2/orders" in output) == (0, True, True)
    assert (missing[0], "404" in missing[2]) == (2, True)


def test_a_curl_command_is_printed_as_an_entry() -> None:
    code, output, said = run(
        "import", "curl", "--action", "pay", "--", "curl", "-u", "a:b", "https://a.example/p", "-d", "{}"
    )
    assert (code, yaml.safe_load(output)["actions"]["pay"]["match"]) == (0, "POST /p")
    assert said.splitlines() == [
        "note: -u holds a credential: it is not taken over; inject it (inject_credentials)",
        "note: the action lists no parameters and takes any",
    ]


def test_a_curl_command_is_taken_from_stdin_with_its_line_breaks() -> None:
    code, output, _ = run("import", "curl", stdin="curl https://a.example/p \\\n  -X DELETE\n")
    assert (code, "DELETE /p" in output) == (0, True)
    assert run("import", "curl", stdin="curl 'open")[0] == 2


def test_a_curl_command_that_is_not_understood_is_refused() -> None:
    code, _, said = run("import", "curl", "--", "curl", "--magic", "x", "a.example")
    assert (code, "--magic is not known here" in said) == (2, True)


def test_two_catalogues_are_compared_and_the_exit_code_says_whether_they_differ(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(ENTRY, "utf-8")
    new = ENTRY.replace("type: number", "type: integer")
    assert run("diff", str(old), "-", stdin=ENTRY) == (0, "no difference\n", "")
    assert run("diff", str(old), "-", stdin=new) == (
        1,
        "~ shop order: parameter total: /total, number -> /total, integer\n",
        "",
    )
    assert json.loads(run("diff", str(old), "-", "--json", stdin=new)[1])[0]["action"] == "order"


def test_prices_of_models_are_compared_too(tmp_path: Path) -> None:
    old = tmp_path / "prices.yaml"
    old.write_text("prices:\n  currency: USD\n  models: {gpt-4o: {input: 2.5, output: 10}}\n", "utf-8")
    new = old.read_text("utf-8").replace("output: 10", "output: 15")
    assert run("diff", str(old), str(old)) == (0, "no difference\n", "")
    assert run("diff", str(old), "-", stdin=new) == (1, "~ prices gpt-4o: output: 10 -> 15\n", "")
    assert run("diff", str(old), "-", stdin=f"{new}---\n{ENTRY}")[1] == (
        "+ shop: tool\n~ prices gpt-4o: output: 10 -> 15\n"
    )


def test_what_is_no_catalogue_cannot_be_compared(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(ENTRY, "utf-8")
    code, _, said = run("diff", str(old), "-", stdin="tool: shop\n")
    assert (code, "stdin:" in said) == (1, True)
    assert run("diff", "-", "-")[0] == 2


def test_a_schema_of_graphql_is_written_as_an_entry(tmp_path: Path) -> None:
    schema = tmp_path / "shop.graphql"
    schema.write_text("type Query { order(id: ID!): String }", "utf-8")
    code, _, said = run(
        "import", "graphql", str(schema), "--name", "shop", "--host", "shop.example", "--out", str(tmp_path / "tools")
    )
    text = (tmp_path / "tools" / "shop.yaml").read_text("utf-8")
    assert (code, said) == (0, f"wrote {tmp_path / 'tools' / 'shop.yaml'}\n")
    assert "order.id: {from: /arguments/order/id, type: string}" in text


def test_a_list_of_persisted_documents_is_taken_over_with_the_schema(tmp_path: Path) -> None:
    schema, manifest = tmp_path / "shop.graphql", tmp_path / "manifest.json"
    schema.write_text("type Query { order(id: ID!): String }", "utf-8")
    document = "query Order($id: ID!) {\n  order(id: $id)\n}"
    digest = hashlib.sha256(document.encode()).hexdigest()
    entries = [{"id": digest, "name": "Order", "type": "query", "body": document}, {"id": "0" * 64, "body": document}]
    manifest.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": entries}))
    words = ("import", "graphql", str(schema), "--name", "shop", "--host", "shop.example", "--persisted", str(manifest))
    code, output, said = run(*words, "--out", "-")
    action = yaml.safe_load(output)["actions"]["graphql"]
    assert (code, action["graphql"]) == (0, {"texts": "refuse", "persisted": {digest: document}})
    assert f"note: left out: the id '{'0' * 64}' is not the SHA-256 of its document" in said
    assert "order.id: {from: /arguments/order/id, type: string}" in output


def test_a_descriptor_set_is_written_as_an_entry_and_beside_it(tmp_path: Path) -> None:
    source, tools = tmp_path / "all.pb", tmp_path / "tools"
    source.write_bytes(descriptor_set())
    words = ("import", "grpc", str(source), "--name", "pay", "--host", "pay.example", "--only", "pay.v0.*")
    code, _, said = run(*words, "--out", str(tools))
    entry = yaml.safe_load((tools / "pay.yaml").read_text("utf-8"))
    assert (code, entry["descriptor_set"], list(entry["actions"])) == (0, "pay.binpb", ["Place"])
    assert f"wrote {tools / 'pay.yaml'}\nwrote {tools / 'pay.binpb'}\n" in said
    assert "note: pay.v0.Orders/Place: groups are refused: old\n" in said
    assert run("diff", str(tools / "pay.yaml"), str(tools / "pay.yaml"))[0] == 0
    assert run(*words, "--out", str(tools))[0] == 2
    code, output, said = run(*words, "--out", "-")
    assert (code, yaml.safe_load(output)) == (0, entry)
    assert "the entry needs the descriptor set beside it, as pay.binpb" in said


def mcp_app() -> Starlette:
    server = MCPServer("notes", log_level="ERROR")

    @server.tool()
    def write_note(text: str, urgent: bool = False) -> str:
        """Write a note."""
        return f"wrote: {text}{urgent}"

    return server.streamable_http_app(transport_security=TransportSecuritySettings(allowed_hosts=["127.0.0.1:*"]))


async def test_the_tools_that_an_mcp_server_lists_are_written_as_an_entry(tmp_path: Path) -> None:
    async with serving(mcp_app()) as port:
        words = ("import", "mcp", f"http://127.0.0.1:{port}/mcp", "--name", "issues", "--out")
        code, output, _ = await asyncio.to_thread(run, *words, "-")
        written = await asyncio.to_thread(run, *words, str(tmp_path))
    entry = yaml.safe_load(output)
    assert (code, written[0], entry["tool"], entry["host"]) == (0, 0, "issues", f"127.0.0.1:{port}")
    assert entry["mcp"]["tools"]["write_note"]["parameters"] == {"text": "string", "urgent": "boolean"}
    assert (tmp_path / "issues.yaml").read_text("utf-8") == output


async def test_secrets_in_the_url_of_an_mcp_server_are_left_out_and_named() -> None:
    async with serving(mcp_app()) as port:
        url = f"http://user:hidden@127.0.0.1:{port}/mcp?key=hidden"
        code, output, said = await asyncio.to_thread(run, "import", "mcp", url, "--name", "issues", "--out", "-")
    assert (code, "hidden" in output + said) == (0, False)
    assert yaml.safe_load(output)["upstream"] == f"http://127.0.0.1:{port}/mcp"
    advice = "if it is none, write it into upstream, or what agents may add into mcp.query"
    assert said.splitlines() == [
        f"note: issues: the query of its URL may be a secret and is left out; {advice}",
        "note: issues: the credential in its URL is left out; inject it (inject_credentials)",
    ]


@pytest.mark.parametrize("url", ["notes", "ftp://user:hidden@notes.example"])
def test_what_is_no_mcp_server_is_refused(url: str) -> None:
    code, _, said = run("import", "mcp", url)
    assert (code, "not a URL" in said, "hidden" in said) == (2, True, False)
