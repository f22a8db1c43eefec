"""`aegis policy fmt`: files brought into one layout, in place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy

CROOKED = "agent: a   # who\norg: acme\nregions:\n- eu\n"
STRAIGHT = "org: acme\nagent: a  # who\nregions: [eu]\n"


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(policy.app, ["fmt", *map(str, arguments)])


@pytest.fixture
def crooked(tmp_path: Path) -> Path:
    file = tmp_path / "agents" / "a.yaml"
    file.parent.mkdir()
    file.write_text(CROOKED)
    return file


def test_a_file_is_rewritten_in_place(crooked: Path) -> None:
    result = _run(crooked)
    assert (result.exit_code, result.output) == (0, f"rewritten: {crooked}\n1 rewritten, 0 in order\n")
    assert crooked.read_text() == STRAIGHT
    assert _run(crooked).output == "0 rewritten, 1 in order\n"


def test_it_keeps_its_rights_and_a_link_stays_a_link(crooked: Path, tmp_path: Path) -> None:
    crooked.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(crooked)
    assert _run(link).exit_code == 0
    assert link.is_symlink()
    assert crooked.read_text() == STRAIGHT
    assert crooked.stat().st_mode & 0o777 == 0o640


def test_check_lists_files_and_writes_nothing(crooked: Path) -> None:
    result = _run(crooked.parent, "--check")
    assert (result.exit_code, result.stdout) == (1, f"would change: {crooked}\n1 would change, 0 in order\n")
    assert crooked.read_text() == CROOKED
    crooked.write_text(STRAIGHT)
    assert _run(crooked.parent, "--check").exit_code == 0


def test_diff_shows_what_would_change_and_writes_nothing(crooked: Path) -> None:
    result = _run(crooked, "--diff")
    assert result.exit_code == 1
    assert f"--- {crooked}\n" in result.stdout
    assert "+regions: [eu]\n" in result.stdout
    assert crooked.read_text() == CROOKED


def test_a_folder_is_this_one_unless_others_are_named(crooked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(crooked.parent)
    assert _run().output == "rewritten: a.yaml\n1 rewritten, 0 in order\n"


def test_tests_and_tools_are_laid_out_too(tmp_path: Path) -> None:
    tests, tool = tmp_path / "a_test.yaml", tmp_path / "t.json"
    tests.write_text("tests:\n- expect: {reason: X, effect: deny}\n  name: one\n")
    tool.write_text('{"host": "h.example", "mcp": {}, "tool": "t"}')
    assert _run(tmp_path).exit_code == 0
    assert tests.read_text() == "tests:\n  - name: one\n    expect: {effect: deny, reason: X}\n"
    assert [*json.loads(tool.read_text())] == ["tool", "host", "mcp"]


def test_a_file_that_cannot_be_read_is_told_and_never_touched(crooked: Path) -> None:
    broken = crooked.with_name("b.yaml")
    broken.write_text("agent: b\nmode:   on\n")
    result = _run(crooked.parent)
    assert result.exit_code == 1
    assert f"{broken}:2:9: mode: " in result.stderr
    assert "1 rewritten, 0 in order, 1 left alone" in result.stdout
    assert broken.read_text() == "agent: b\nmode:   on\n"
    assert crooked.read_text() == STRAIGHT


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes("agent: a # ü\n".encode("latin-1"))
    result = _run(file)
    assert result.exit_code == 1
    assert "not UTF-8 at byte 11" in result.stderr


def test_below_a_folder_only_our_files_are_looked_at(crooked: Path, tmp_path: Path) -> None:
    others = {
        "compose.yaml": "services:\n    web: {image:   nginx}\n",
        "package.json": '{\t"name": "x"}',
        ".hidden/a.yaml": CROOKED,
        "notes.md": CROOKED,
    }
    for name, text in others.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "link.yaml").symlink_to(crooked)
    assert _run(tmp_path).output == f"rewritten: {crooked}\n1 rewritten, 0 in order\n"
    assert {name: (tmp_path / name).read_text() for name in others} == others


def test_a_file_of_another_program_that_is_named_is_told(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\n")
    result = _run(file)
    assert result.exit_code == 1
    assert f"{file}:1:1: holds no policy, template, definitions, tool or tests" in result.stderr


def test_a_file_named_twice_is_written_once(crooked: Path) -> None:
    assert _run(crooked, crooked.parent).output == f"rewritten: {crooked}\n1 rewritten, 0 in order\n"


def test_a_path_that_is_not_there_cannot_be_asked_about(tmp_path: Path) -> None:
    result = _run(tmp_path / "absent")
    assert result.exit_code == 2
    assert "absent: no such file or folder" in result.stderr


def test_json_tells_the_same(crooked: Path) -> None:
    crooked.with_name("b.yaml").write_text("agent: b\nmode: on\n")
    result = _run(crooked.parent, "--json", "--diff")
    said = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (said["written"], said["changed"], said["in_order"]) == (False, [str(crooked)], [])
    assert "+regions: [eu]" in said["diffs"][str(crooked)]
    assert [(one["line"], one["field"]) for one in said["problems"]] == [(2, "mode")]


def test_a_file_that_cannot_be_written_is_told_and_stays(crooked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes, mode: int) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("aegis_authz.commands.formatting.replace", full)
    result = _run(crooked)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert crooked.read_text() == CROOKED
