"""docs/catalogue-import.md, followed to the letter."""

from __future__ import annotations

from pathlib import Path

from tests.support.page_steps import problems, steps, terminal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "catalogue-import.md").read_text("utf-8")


def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    assert list(problems(steps(PAGE), tmp_path, terminal())) == []
