from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from aegis_authz.cli.app import app

runner = CliRunner()


def commands(command: click.Command, path: str = "aegis") -> Iterator[tuple[str, click.Command]]:
    children = getattr(command, "commands", None)  # of a group
    if children is not None:
        for name, child in children.items():
            yield from commands(child, f"{path} {name}")
    else:
        yield path, command


WITH_DIR = [
    pytest.param(option, id=path)
    for path, command in commands(typer.main.get_command(app))
    for option in command.params
    if "--dir" in option.opts
]


def test_the_commands_about_a_mesh_are_found() -> None:
    assert len(WITH_DIR) > 25


@pytest.mark.parametrize("option", WITH_DIR)
def test_every_command_takes_the_mesh_from_the_environment_and_none_demands_it(option: click.Parameter) -> None:
    assert (option.envvar, option.required) == ("AEGIS_DIR", False)


def test_a_command_without_dir_looks_into_the_folder_it_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AEGIS_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    assert "no mesh runs in .aegis" in runner.invoke(app, ["down"]).output
    assert ".aegis/records is not a folder" in runner.invoke(app, ["audit", "tail"]).output


def test_the_environment_names_the_mesh_and_the_option_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEGIS_DIR", str(tmp_path / "by environment"))
    assert "by environment" in runner.invoke(app, ["down"]).output
    assert "by option" in runner.invoke(app, ["down", "--dir", str(tmp_path / "by option")]).output
