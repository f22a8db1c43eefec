"""README.md, followed to the letter on a real mesh: every command is run as printed, and what it prints compared.

Of the targets of `make` it is shown that they are there: the suite is what `make test` runs, and cannot run itself; the demo
is played by tests/test_wheel.py and, line by line, by tests/e2e.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "README.md").read_text("utf-8")


OUT_OF_TIME = ("PDP_TIMEOUT", "STORE_TIMEOUT", "DEADLINE_EXCEEDED", "OVERLOADED")
LATEST = 8
"""The most records one command of the page leaves."""


def ran_out_of_time(folder: Path) -> bool:
    """Whether the mesh refused one of the latest calls because the machine was busy, by its own records."""
    command = [Path(sys.executable).with_name("aegis"), "audit", "tail", "--dir", ".aegis", "-n", str(LATEST)]
    records = subprocess.run(command, cwd=folder, env=terminal(), capture_output=True, text=True, check=False).stdout
    return any(reason in records for reason in OUT_OF_TIME)


def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(sys.prefix)
    page = list(steps(PAGE))
    try:
        assert next(problems(page, tmp_path, terminal(), partial(ran_out_of_time, tmp_path)), "") == ""
    finally:
        stop_mesh(tmp_path, ".aegis")
    commands = "\n".join(step.text for step in page if isinstance(step, Command))
    words = set(re.findall(r"aegis (\w+)", commands))
    assert {"up", "token", "approvals", "doctor", "policy", "audit", "status", "down"} <= words


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^make (\S+)", PAGE, re.MULTILINE)) | set(re.findall(r"`make ([a-z-]+)`", PAGE))
    assert {"demo", "test", "bench"} <= targets
    for target in targets:
        command = ["make", "-n", target]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_as_many_odd_requests_were_sent_as_it_says() -> None:
    judged = (ROOT / "docs" / "judged-is-forwarded.md").read_text("utf-8")
    [count] = re.findall(r"(?m)^(\d+) requests on \d+ ways: ", judged)
    assert re.findall(r"(\d+) odd requests", PAGE) == [count]


def test_the_share_of_cpu_of_the_peer_is_that_of_the_benchmark() -> None:
    performance = (ROOT / "docs" / "performance.md").read_text("utf-8")
    goal = r"\| 1 \| decisions for a second of CPU, [^|]*opa-envoy-plugin[^|]*\| ([0-9.]+)x \|"
    [multiple] = re.findall(goal, performance)
    assert re.findall(r"([0-9.]+) of our CPU a decision", PAGE) == [f"{float(multiple):.1f}"]


def test_every_block_of_the_page_is_one_that_is_held_to_something() -> None:
    kinds = re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)
    assert sorted(set(kinds)) == ["console", "sh", "yaml"]
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert all(line.startswith("make ") for line in commands.splitlines())


def test_the_policy_on_the_page_is_the_one_that_decides() -> None:
    (policy,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    served = iter((ROOT / "policies" / "agents" / "finance-agent.yaml").read_text("utf-8").splitlines())
    missing = [line for line in policy.splitlines() if line not in served]
    assert missing == []
