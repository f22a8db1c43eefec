"""docs/sdk-node.md, followed to the letter in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from sdk.node.tests.conftest import SDK, run
from tests.docs.test_readme import ran_out_of_time
from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

ROOT = SDK.parents[1]
PAGE = (ROOT / "docs" / "sdk-node.md").read_text("utf-8")
VARIABLES = ("XDG_CONFIG_HOME", "AEGIS_AGENT", "AEGIS_AGENT_FOLDER", "AEGIS_DIR")


@pytest.mark.slow
def test_every_command_does_what_the_page_prints(tmp_path: Path, tarball: Path) -> None:
    (tmp_path / "package.json").write_text('{"private": true}')
    run(["npm", "install", "--offline", "--no-audit", "--no-fund", str(tarball)], tmp_path)
    for name, text in programs().items():
        (tmp_path / name).write_text(text, "utf-8")
    environment = terminal() | {"HOME": str(tmp_path)}
    environment["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    environment["PATH"] += f"{os.pathsep}{Path(shutil.which('node') or 'node').parent}"
    for name in VARIABLES:
        environment.pop(name, None)
    try:
        assert next(problems(steps(PAGE), tmp_path, environment, partial(ran_out_of_time, tmp_path)), "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")


def programs() -> dict[str, str]:
    """The programs of the page by their names."""
    return dict(re.findall(r"^```js\n// (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_the_page_shows_what_a_call_can_end_with() -> None:
    commands = "\n".join(step.text for step in steps(PAGE) if isinstance(step, Command))
    assert all(words in commands for words in ("pay.mjs 100\n", "pay.mjs 50000", "pay.mjs 2000", "approvals approve"))


def test_the_members_of_the_page_are_those_of_the_class() -> None:
    source = (SDK / "src" / "aegis.ts").read_text("utf-8")
    members = re.findall(r"^\| `(\w+)\([^|]*\)` \|", PAGE, re.MULTILINE)
    assert set(members) == {"fetch", "fetchAnswers", "fetchWhenApproved", "wrap", "toolUrl", "headers", "close"}
    assert all(re.search(rf"^  (?:readonly |async )?{member}[(:<]", source, re.MULTILINE) for member in members)


def test_the_lines_of_the_package_are_those_of_the_page() -> None:
    readme = (SDK / "README.md").read_text("utf-8")
    lines = [line for line in readme.partition("```js\n")[2].partition("```")[0].splitlines() if line]
    assert len(lines) == 2
    assert all(line.replace("{ Aegis }", "{ Aegis, AegisDenied, ApprovalNeeded }") in PAGE for line in lines)
