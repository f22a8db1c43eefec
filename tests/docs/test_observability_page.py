"""What docs/observability.md and the runbooks say, held to what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from aegis_authz.cli.app import app
from aegis_authz.config.authz import TelemetrySettings
from aegis_authz.core.alert import Alert
from aegis_authz.core.reason import Reason
from aegis_authz.notices.webhook import alert_body
from aegis_authz.policy.load import load
from aegis_authz.telemetry import conventions

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "observability.md").read_text("utf-8")
BOOKS = sorted((DOCS / "runbooks").glob("*.md"))


@pytest.mark.parametrize("path", [DOCS / "observability.md", *BOOKS], ids=lambda path: path.stem)
def test_every_command_that_is_named_is_a_command_with_these_options(path: Path) -> None:
    for words in re.findall(r"`aegis ([a-z][^`]*)`", path.read_text("utf-8")):
        command: Any = typer.main.get_command(app)
        names = words.split()
        while names and isinstance(command, TyperGroup):
            child = command.commands.get(names.pop(0))
            assert child is not None, words
            command = child
        options = {name for parameter in command.params for name in parameter.opts}
        assert {name for name in names if name.startswith("--")} <= options, words


def test_the_settings_that_are_printed_are_settings() -> None:
    text, policy = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    telemetry = yaml.safe_load(text)["telemetry"]
    telemetry["headers"] = dict.fromkeys(telemetry["headers"], "as a file would say it")
    assert set(telemetry) | {"certificate", "key"} == set(TelemetrySettings.model_fields)
    assert TelemetrySettings.model_validate(telemetry).sample == 0.1
    (document,) = load({"notices.yaml": policy}, {}).compiled
    assert document.document.notify is not None


def test_the_body_of_a_notice_has_the_members_that_are_printed() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    alert = Alert("alt_1", "acme", "emea", "a", Reason.EGRESS_DENIED, "b.example", 4, 1.0, 2.0, ("d",), 3.0)
    assert json.loads(text).keys() == json.loads(alert_body(alert, "https://a")).keys()


def test_the_names_that_are_told_are_those_of_spans() -> None:
    names = {name for name in vars(conventions).values() if isinstance(name, str)}
    told = set(re.findall(r"`(aegis\.[a-z_]+|opa evaluate|redis settle|PolicyViolation)`", PAGE))
    assert told <= names
    assert {conventions.CHECK, conventions.EVALUATE, conventions.SETTLE, conventions.VIOLATION} <= told
