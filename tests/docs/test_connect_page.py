"""docs/connect.md, followed to the letter: a stock MCP client and server, a mesh, and no line of code."""

from __future__ import annotations

import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest

from aegis_authz.agent.refusals import Cause
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal
from tests.support.registry_clients import node_clients

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "connect.md").read_text("utf-8")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    packages = re.findall(r"@modelcontextprotocol/[a-z-]+@[0-9.]+", PAGE)
    folder = node_clients(*packages)
    environment = terminal()
    path = os.pathsep.join([str(folder / "node_modules" / ".bin"), environment["PATH"]])
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment |= {"PATH": path, "HOME": str(tmp_path), "XDG_CACHE_HOME": cache}
    environment |= {"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}
    for name in ("XDG_CONFIG_HOME", "AEGIS_DIR"):
        environment.pop(name, None)
    try:
        assert next(problems(steps(PAGE), tmp_path, environment, partial(ran_out_of_time, tmp_path)), "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")
        if (tmp_path / "wrap.pid").exists():
            end(int((tmp_path / "wrap.pid").read_text()))


def end(pid: int) -> None:
    """End what the page left running, if it did."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def test_the_page_shows_each_of_the_four_things() -> None:
    commands = "\n".join(step.text for step in steps(PAGE) if isinstance(step, Command))
    for words in ("tools/list", "read_graph", "delete_entities", "approvals approve", "connect cursor --undo"):
        assert words in commands


def test_every_refusal_of_the_signer_is_on_the_page() -> None:
    rows = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    assert rows == {cause.code for cause in Cause}
