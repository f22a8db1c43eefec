"""docs/limits.md, followed to the letter."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text("utf-8")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    try:
        found = problems(steps(PAGE), tmp_path, terminal(), partial(ran_out_of_time, tmp_path))
        assert next(found, "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")


def test_the_page_leads_to_a_budget_that_held() -> None:
    printed = "\n".join(step.output for step in steps(PAGE) if isinstance(step, Command))
    assert "200 paid" in printed and "429 create_payment on stripe-payments was refused" in printed
