"""What shares a server is played by one worker, one test after another; a module is never torn apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = ("tests/docs/test_links.py", "tests/docs/test_reasons_page.py", "tests/core/test_units.py")


@pytest.fixture(scope="module")
def workers() -> dict[str, set[str]]:
    """The workers that played each of a few modules, by their paths."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "--dist",
        "loadscope",
        "-v",
        "-p",
        "no:cacheprovider",
        *MODULES,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    played = [line.split() for line in run.stdout.splitlines() if line.startswith("[gw")]
    return {path: {words[0] for words in played if words[-1].startswith(path)} for path in MODULES}


def test_rooms_that_share_a_server_are_on_one_worker(workers: dict[str, set[str]]) -> None:
    links, reasons, _ = (workers[path] for path in MODULES)
    assert len(links) == 1
    assert links == reasons


def test_another_module_is_on_the_other_worker(workers: dict[str, set[str]]) -> None:
    assert len(workers[MODULES[2]]) == 1
    assert workers[MODULES[2]] != workers[MODULES[0]]
