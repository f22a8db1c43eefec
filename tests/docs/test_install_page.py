"""docs/install.md: its commands are commands, its services are services. What compose does is tried in tests/deploy, the
mesh without containers by the README's own test.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.core import TyperGroup
from typer.main import get_command

from aegis_authz.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "install.md").read_text("utf-8")
CODE = "\n".join(re.findall(r"(?ms)^```sh\n(.*?)^```", PAGE)) + "\n" + "\n".join(re.findall(r"`([^`\n]+)`", PAGE))
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
COMMANDS = sorted(set(re.findall(r"(?m)(?:^|control |agent )aegis ([a-z]+(?: [a-z]+)?)", CODE)))


def test_each_command_of_compose_names_a_service_that_is_there() -> None:
    named = re.findall(r"docker compose (?:exec|run --rm) (\S+)", CODE)
    assert len(named) >= 5
    assert set(named) <= set(SERVICES)
    profiles = re.findall(r"--profile (\S+)", CODE)
    assert {profile for given in SERVICES.values() for profile in given.get("profiles", ())} >= set(profiles)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_aegis_is_one(command: str) -> None:
    group = get_command(app)
    for word in command.split():
        if not isinstance(group, TyperGroup):
            break  # an argument
        assert word in group.commands, command
        group = group.commands[word]


def test_what_make_is_asked_for_is_a_target() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    assert {"setup", *re.findall(r"make ([a-z-]+)", CODE)} <= targets
    assert (ROOT / "deploy" / "images" / "build").exists()


def test_each_volume_that_is_to_be_backed_up_is_one() -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["volumes"]
    [sentence] = re.findall(r"Back up the volumes (.*?), and `\./", PAGE)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(volumes) - {"run", "opa", "prometheus", "grafana"}
