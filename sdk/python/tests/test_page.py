"""docs/sdk-python.md, followed to the letter in a folder of its own."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import pytest

from aegis_agent.enrolment import AGENT_VARIABLE, EVALUATION_VARIABLE, FOLDER_VARIABLE, STATE_VARIABLE
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "sdk-python.md").read_text("utf-8")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    programs = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for name, text in programs:
        (tmp_path / name).write_text(text, "utf-8")
    environment = terminal() | {"PYTHONPATH": str(ROOT / "sdk/python/src"), "HOME": str(tmp_path)}
    environment["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for name in ("XDG_CONFIG_HOME", AGENT_VARIABLE, FOLDER_VARIABLE, STATE_VARIABLE):
        environment.pop(name, None)
    try:
        assert next(problems(steps(PAGE), tmp_path, environment, partial(ran_out_of_time, tmp_path)), "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")


def test_the_page_shows_what_a_call_can_end_with() -> None:
    commands = "\n".join(step.text for step in steps(PAGE) if isinstance(step, Command))
    assert all(words in commands for words in ("pay.py 100\n", "pay.py 50000", "pay.py 2000", "approvals approve"))


def test_every_client_and_every_variable_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(AEGIS_\w+)` \|", PAGE, re.MULTILINE)) == {
        AGENT_VARIABLE,
        EVALUATION_VARIABLE,
        FOLDER_VARIABLE,
        STATE_VARIABLE,
    }
    rows = re.findall(r"^\| `aegis_agent\.(\w+)`: (.*?) \|", PAGE, re.MULTILINE)
    assert len(rows) == 14
    for module, names in rows:
        code = (ROOT / "sdk/python/src/aegis_agent" / f"{module}.py").read_text("utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"^ *(class|def|async def) {name}\b", code, re.MULTILINE), name


def test_the_three_lines_are_those_of_the_package() -> None:
    readme = (ROOT / "sdk/python/README.md").read_text("utf-8")
    code = readme.partition("```python\n")[2].partition("```")[0]
    lines = [line for line in code.splitlines() if line]
    assert len(lines) == 3
    program = PAGE.replace("Aegis, AegisDenied, ApprovalNeeded", "Aegis")
    assert all(line in program for line in lines)
