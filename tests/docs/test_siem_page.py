"""docs/siem.md names the members that events have, and the options that there are."""

from __future__ import annotations

import re
from pathlib import Path

from typer.main import get_command

from aegis_authz.cli.app import app
from aegis_authz.siem.event import MEMBERS
from aegis_authz.siem.formats import Format

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "siem.md").read_text("utf-8")


def test_the_page_lists_every_member_as_the_code_does() -> None:
    rows = re.findall(r"^\| `([@a-z_]+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert {name: text for name, text in rows if name in MEMBERS} == dict(MEMBERS)


def test_the_page_lists_every_format() -> None:
    assert {form.value for form in Format} <= set(re.findall(r"^\| `([a-z]+)` \|", PAGE, re.MULTILINE))


def test_every_option_of_the_page_is_one_of_the_command() -> None:
    command = get_command(app).commands["export"]  # type: ignore[attr-defined]  # a group
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", PAGE)) <= known


def test_the_page_lists_every_rule_of_sigma() -> None:
    rules = {path.stem for path in (Path(__file__).resolve().parents[2] / "deploy" / "sigma").glob("*.yml")}
    assert rules == set(re.findall(r"`([a-z]+-[a-z0-9-]+)`", PAGE[PAGE.index("## Alerts") :]))
