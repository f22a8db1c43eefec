"""What docs/intercept.md says: its options are the command's, its settings are taken, and its number of probes is true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from aegis_authz.cli.intercept import app
from aegis_authz.config.proxy import InterceptionSettings, TransparentSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "intercept.md").read_text("utf-8")
PROBES = yaml.safe_load((ROOT / "tests" / "bypass" / "probes.yaml").read_text("utf-8"))


@pytest.mark.parametrize("command", ["up", "rules"])
def test_the_options_are_those_of_the_command(command: str) -> None:
    table = PAGE.partition("| option | |\n")[2].partition("\n\n")[0]
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
    options = set(re.findall(r"(?<!\S)(--[a-z-]+)", shown)) - {"--help", "--no-pod"}
    assert set(re.findall(r"^\| `(--[a-z-]+)", table, re.MULTILINE)) == options


def test_each_line_of_the_shell_makes_rules() -> None:
    lines = [line.partition("#")[0].split() for line in PAGE.splitlines() if line.startswith("aegis intercept up")]
    assert len(lines) == 2
    for _, _, _, *words in lines:
        assert CliRunner().invoke(app, ["rules", *words]).exit_code == 0


def test_the_init_container_makes_rules() -> None:
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "initContainers" in text)
    verb, *words = yaml.safe_load(block)["initContainers"][0]["args"]
    entry = (ROOT / "deploy" / "images" / "init.Dockerfile").read_text("utf-8").partition("ENTRYPOINT ")[2]
    assert (json.loads(entry.splitlines()[0])[-1], verb) == ("intercept", "up")
    assert CliRunner().invoke(app, ["rules", *words]).exit_code == 0


def test_the_settings_are_taken() -> None:
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "transparent:" in text)
    settings = yaml.safe_load(block)
    assert TransparentSettings(**settings["transparent"]).listeners == {"pod": 15001}
    InterceptionSettings(**settings["interception"])


def test_there_are_as_many_probes_as_pages_say() -> None:
    assert len({case["why"] for case in PROBES}) == len(PROBES)
    pages = [PAGE, *((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/threat-model.md"))]
    for page in pages:
        assert {int(number) for number in re.findall(r"([0-9]+) probes", page)} == {len(PROBES)}
