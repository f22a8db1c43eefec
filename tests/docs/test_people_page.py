from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.core.person import Role
from aegis_authz.people.permissions import PERMISSIONS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "people.md"
_TABLE = re.compile(r"(\| permission \|.*\n\|[-|]+\|\n)((?:\|.*\n)*)")


def _rows() -> str:
    rows = (
        " | ".join([f"`{permission.value}`", *("yes" if role in roles else "" for role in Role)])
        for permission, roles in PERMISSIONS.items()
    )
    return "".join(f"| {row} |\n" for row in rows)


def test_the_page_lists_what_each_role_may() -> None:
    text = PAGE.read_text("utf-8")
    if os.environ.get("AEGIS_WRITE_DOCS"):
        text = _TABLE.sub(lambda table: table[1] + _rows(), text)
        PAGE.write_text(text, "utf-8")
    table = _TABLE.search(text)
    assert table is not None
    assert re.findall(r"\w+", table[1]) == ["permission", *(role.value for role in Role)]
    assert table[2] == _rows()


def _commands() -> list[str]:
    return re.findall(r"^\$ aegis (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", _commands())
def test_a_command_of_the_page_is_one(line: str) -> None:
    """Its words are parsed; what the commands do is in tests/cli/test_people.py."""
    command = get_command(app)
    words = line.split(" --")[0].split()
    path = []
    while hasattr(command, "commands"):
        path.append(words.pop(0))
        command = command.commands[path[-1]]
    known = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}).output
    assert set(re.findall(r"--[a-z]+", line)) <= set(re.findall(r"--[a-z]+", known))
