"""What docs/vm.md says: its table is that of the units, and its lines name files, commands and options that there are."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from aegis_authz.cli.app import app
from tests.support.unit_files import directives, service_files, unit_name

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "vm.md").read_text("utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
ROWS = re.findall(r"(?m)^\| `(aegis-\S+)` \| [0-9.]+ \| (\S+) \| (.*?) \| (.*?) \|$", PAGE)
FOLDERS = {
    "StateDirectory": "/var/lib/",
    "RuntimeDirectory": "/run/",
    "LogsDirectory": "/var/log/",
    "ReadWritePaths": "",
}


def code(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_table_is_that_of_the_units() -> None:
    units = {}
    for file in service_files():
        said = directives(file)
        credentials = {words.partition(":")[0] for words in said.get("LoadCredential", ())}
        folders = {f"{place}{path}" for word, place in FOLDERS.items() for path in said.get(word, ())}
        units[unit_name(file).replace("@0", "@N")] = (set(said.get("User", ())), credentials, folders)
    assert {unit: tuple(map(code, cells)) for unit, *cells in ROWS} == units


def test_every_file_of_the_checkout_that_it_copies_is_there() -> None:
    places = {word for line in LINES for word in re.findall(r"(?:deploy|requirements)/\S+", line)}
    assert {"deploy/systemd/units/.", "requirements/image.txt"} <= places
    assert {place for place in places if not (ROOT / place).exists()} == set()


def test_the_modules_that_it_runs_are_there() -> None:
    modules = {word for line in LINES for word in re.findall(r"-m (aegis_authz\S+)|from (aegis_authz\S+) import", line)}
    names = {name for pair in modules for name in pair if name}
    assert names == {"aegis_authz.local.install", "aegis_authz.local.servers"}
    assert all(importlib.util.find_spec(name) for name in names)


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("/opt/aegis/bin/aegis ")])
def test_each_command_of_aegis_takes_what_it_is_given(line: str) -> None:
    words = shlex.split(line)[1:]
    command = get_command(app)
    while isinstance(command, TyperGroup):
        command = command.commands[words.pop(0)]
    with command.make_context(line, words) as context:
        assert context.params
