"""docs/https.md, followed to the letter on a mesh of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from aegis_authz.agent.command import AUTHORITIES
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import problems, steps, stop_mesh, terminal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "https.md").read_text("utf-8")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    environment = terminal()
    for name in ("XDG_CONFIG_HOME", "AEGIS_DIR", *AUTHORITIES):
        environment.pop(name, None)
    try:
        assert next(problems(steps(PAGE), tmp_path, environment, partial(ran_out_of_time, tmp_path)), "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")


def test_every_variable_that_is_set_is_on_the_page() -> None:
    assert [name for name in AUTHORITIES if f"`{name}`" not in PAGE] == []
