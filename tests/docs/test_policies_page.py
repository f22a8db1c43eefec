"""docs/policies.md, followed to the letter: every command on it is run as printed, in order, in an empty folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"


@pytest.mark.slow
def test_the_page_can_be_followed_from_nothing_to_a_published_rule(tmp_path: Path) -> None:
    page = list(steps(PAGE.read_text("utf-8")))
    try:
        assert next(problems(page, tmp_path, terminal()), "") == ""
    finally:
        stop_mesh(tmp_path, "mesh")
    commands = " ".join(step.text for step in page if isinstance(step, Command))
    words = set(re.findall(r"aegis policy (\w+)", commands))
    assert {"init", "validate", "lint", "test", "explain", "simulate", "mutate", "publish", "status"} <= words


def test_a_page_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    page = "```console\n$ echo a b\na ...\n$ echo a\nb\n$ false  # exit 1\n```\n"
    (problem,) = problems(steps(page), tmp_path, terminal())
    assert "page:\nb" in problem


def test_what_a_terminal_keeps_is_there_for_the_commands_after_it(tmp_path: Path) -> None:
    commands = ["once=$(date +%N)", "echo $once > first", 'same() { echo $once | diff - first && echo "$1"; }']
    kept = "".join(f"$ {command}\n" for command in commands) + "$ same yes\nyes\n"
    gone = "$ other=2 true\n$ echo [$other]\n[2]\n"
    assert list(problems(steps(f"```console\n{kept}```\n"), tmp_path, terminal())) == []
    page = f"```console\n{gone}```\n"
    (problem,) = problems(steps(page), tmp_path, terminal())
    assert "echo [$other]" in problem


def test_a_command_that_is_excused_is_run_again_and_no_other(tmp_path: Path) -> None:
    page = list(steps("```console\n$ echo x >> tries; wc -l < tries\n2\n```\n"))
    assert list(problems(page, tmp_path, terminal(), lambda: True)) == []
    (tmp_path / "tries").unlink()
    (problem,) = problems(page, tmp_path, terminal())
    assert "page:\n2" in problem
