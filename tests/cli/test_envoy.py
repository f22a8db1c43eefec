"""`aegis envoy render`: files for an Envoy, or a sentence that says why there are none."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from typer.testing import CliRunner

from aegis_authz.cli.envoy import app
from aegis_authz.policy.load import load

FILES = {"envoy.yaml", "cds.yaml", "rds-forward.yaml", "rds-reverse.yaml"}
TOOL = "tool: search\nhost: search.example\nactions: {find: {match: GET /find}}\n"


def _render(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["render", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_examples_are_written_unless_others_are_named(tmp_path: Path) -> None:
    code, said, _ = _render("--out", str(tmp_path))
    assert (code, {path.name for path in tmp_path.iterdir()}) == (0, FILES)
    assert f"{tmp_path}:" in said


def test_own_settings_and_tools_are_used(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "search.yaml").write_text(TOOL, "utf-8")
    settings = {
        "forward_port": 15000,
        "reverse_port": 15001,
        "admin_socket": "/run/envoy.sock",
        "authz": ["authz:9000"],
        "xds": "/etc/envoy",
        "access_log": "/dev/stdout",
        "ca_file": "/ca.pem",
    }
    config = tmp_path / "proxy.yaml"
    config.write_text(yaml.safe_dump(settings), "utf-8")
    code, said, _ = _render("--out", str(tmp_path / "out"), "--config", str(config), "--tools", str(tools))
    start = yaml.safe_load((tmp_path / "out" / "envoy.yaml").read_text("utf-8"))
    clusters = yaml.safe_load((tmp_path / "out" / "cds.yaml").read_text("utf-8"))["resources"]
    assert (code, "for 1 tools" in said) == (0, True)
    assert start["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] == 15000
    assert [cluster["name"] for cluster in clusters] == [
        f"tool:search:{load({}, {'search.yaml': TOOL}).tools[0].route}"
    ]


def test_tools_that_are_not_valid_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(TOOL.replace("GET /find", "FETCH it"), "utf-8")
    code, _, complaint = _render("--out", str(tmp_path / "out"), "--tools", str(tmp_path))
    assert code == 1
    assert f"{tmp_path / 'search.yaml'}:3:" in complaint
    assert not (tmp_path / "out").exists()


def test_settings_that_cannot_be_used_are_said_in_a_sentence(tmp_path: Path) -> None:
    config = tmp_path / "proxy.yaml"
    config.write_text("forward_port: far\n", "utf-8")
    code, _, complaint = _render("--out", str(tmp_path / "out"), "--config", str(config))
    assert code == 2
    assert "forward_port" in complaint
    assert "Traceback" not in complaint


def test_the_route_of_each_tool_is_printed_for_gateways_of_others(tmp_path: Path) -> None:
    (tmp_path / "search.yaml").write_text(TOOL, "utf-8")
    done = CliRunner().invoke(app, ["routes", "--tools", str(tmp_path), "--json"])
    route = load({}, {"search.yaml": TOOL}).tools[0].route
    assert json.loads(done.stdout) == {
        "routes": [
            {"tool": "search", "host": "search.example", "upstream": "https://search.example:443", "route": route}
        ]
    }
    said = CliRunner().invoke(app, ["routes", "--tools", str(tmp_path)]).stdout
    assert said == f"search  {route}  search.example -> https://search.example:443\n"
    (tmp_path / "search.yaml").write_text(TOOL + "upstream: http://elsewhere:9000\n", "utf-8")
    assert route not in CliRunner().invoke(app, ["routes", "--tools", str(tmp_path)]).stdout
