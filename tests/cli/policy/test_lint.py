"""`aegis policy lint` as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy.app import app

TOOL = "tool: bank\nhost: bank.example\nactions: {pay: {match: POST /pay}}\n"
FINE = "agent: payer\nowner: o\nallowed_tools: [{name: bank, actions: [pay]}]\n"
NOTE = FINE.replace("owner: o\n", "")
ERROR = FINE.replace("payer", '"*"').replace("[pay]", '["*"]')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "bank.yaml").write_text(TOOL, "utf-8")
    return tmp_path


def lint(folder: Path, policy: str, *more: str) -> Result:
    (folder / "policies" / "p.yaml").write_text(policy, "utf-8")
    given = ["--policies", str(folder / "policies"), "--tools", str(folder / "tools")]
    return CliRunner().invoke(app, ["lint", *given, *more])


def test_a_clean_set_has_nothing_found(folder: Path) -> None:
    result = lint(folder, FINE, "--strict")
    assert (result.exit_code, result.stdout) == (0, "nothing found\n")


def test_a_note_is_told_with_its_page_and_only_strict_refuses_it(folder: Path) -> None:
    result = lint(folder, NOTE)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{folder / 'policies' / 'p.yaml'}:1:1: note missing-owner: ")
    assert result.stdout.endswith("  see docs/lint/missing-owner.md\n1 note\n")
    assert lint(folder, NOTE, "--strict").exit_code == 1


def test_an_error_is_refused(folder: Path) -> None:
    result = lint(folder, ERROR)
    assert result.exit_code == 1
    assert "error allow-everything" in result.stdout


def test_invalid_documents_are_errors_of_that_code(folder: Path) -> None:
    result = lint(folder, "agent: payer\nallowed_tool: []\n", "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["errors"], told["findings"][0]["code"]) == (1, 1, "invalid")


def test_json_says_all_of_each_finding(folder: Path) -> None:
    told = json.loads(lint(folder, NOTE, "--json").stdout)
    finding = told["findings"][0]
    assert (told["errors"], told["warnings"], told["notes"]) == (0, 0, 1)
    assert finding["path"] == str(folder / "policies" / "p.yaml")
    assert {name: finding[name] for name in ("code", "severity", "line", "column", "field", "page")} == {
        "code": "missing-owner",
        "severity": "note",
        "line": 1,
        "column": 1,
        "field": "",
        "page": "docs/lint/missing-owner.md",
    }


def test_a_folder_that_is_not_there_cannot_be_linted(folder: Path) -> None:
    result = CliRunner().invoke(app, ["lint", "--policies", str(folder / "none"), "--tools", str(folder / "tools")])
    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_without_folders_there_is_nothing_to_lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["lint"]).exit_code == 2


def test_with_the_settings_of_channels_a_place_they_do_not_have_is_an_error(folder: Path) -> None:
    channels = folder / "channels.yaml"
    channels.write_text("channels: {webhook: {soc: {url: 'https://soc.example/', secret_file: soc.key}}}\n", "utf-8")
    policy = FINE + 'notify: {reasons: [EGRESS_DENIED], by: ["webhook:sco"]}\n'
    assert lint(folder, policy).exit_code == 0
    result = lint(folder, policy, "--channels", str(channels))
    assert result.exit_code == 1
    assert "p.yaml:4:41: error unknown-channel: notify.by[0]" in result.stdout
