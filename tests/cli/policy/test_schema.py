"""`aegis policy schema`: what editors are given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(policy.app, ["schema", *arguments])


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        ("policy", {"agent": "a"}, {"tool": "t", "host": "h.example", "mcp": {}}),
        ("tool", {"tool": "t", "host": "h.example", "mcp": {}}, {"agent": "a"}),
        (
            "test",
            {"tests": [{"name": "n", "call": {"agent": "a/b/c", "host": "h"}, "expect": {"effect": "deny"}}]},
            {"agent": "a"},
        ),
    ],
)
def test_each_kind_takes_its_own_documents(kind: str, taken: dict[str, object], refused: dict[str, object]) -> None:
    schema = json.loads(_run("--kind", kind).stdout)
    assert Draft202012Validator(schema).is_valid(taken)
    assert not Draft202012Validator(schema).is_valid(refused)
    everything = json.loads(_run().stdout)
    assert Draft202012Validator(everything).is_valid(taken)


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / ".vscode" / "aegis.schema.json"
    result = _run("--kind", "tool", "--out", str(file))
    assert (result.exit_code, result.output) == (0, f"{file}: the schema of tools\n")
    assert json.loads(file.read_text()) == json.loads(_run("--kind", "tool").stdout)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    result = _run("--out", str(tmp_path))
    assert result.exit_code == 2
    assert "aegis policy schema: " in result.stderr


def test_another_kind_is_refused() -> None:
    assert _run("--kind", "egress").exit_code == 2
