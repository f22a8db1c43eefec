"""`aegis bench` on a whole mesh: real Envoy, OPA, Redis and vegeta."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

AEGIS = (sys.executable, "-P", "-m", "aegis_authz.cli")
pytestmark = pytest.mark.slow


def aegis(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*AEGIS, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("mesh") / "state"
    started = aegis("up", "--detach", "--dir", str(state), "--workers", "1")
    assert started.returncode == 0, started.stderr
    yield state
    aegis("down", "--dir", str(state))


def test_every_call_is_decided_as_it_should_be(vegeta: Path, mesh: Path) -> None:
    done = aegis("bench", "--dir", str(mesh), "--rate", "40", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stderr
    (stage,) = json.loads(done.stdout)["stages"]
    # a busy machine may refuse some for time; none may be wrong
    assert (stage["sent"], stage["wrong"], stage["failed"]) == (80, 0, 0)
    assert stage["right"] + sum(stage["refused"].values()) == 80
    assert stage["right"] > 40


def test_an_answer_that_is_not_the_one_expected_is_wrong(vegeta: Path, mesh: Path) -> None:
    who = ("--org", "acme", "--tenant", "emea", "--agent", "finance-agent")
    call = ("--host", "nowhere.example", "--path", "/", "--body", "{}", "--rate", "20", "--seconds", "1")
    done = aegis("bench", "--dir", str(mesh), *who, *call)
    assert done.returncode == 1
    assert "HTTP 403 EGRESS_DENIED where 200 was due" in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_ended_early_it_leaves_nothing_behind(
    vegeta: Path, mesh: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    command = [*AEGIS, "bench", "--dir", str(mesh), "--rate", "20", "--seconds", "60"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "AEGIS_VEGETA": str(vegeta)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        while "calls a second" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        assert process.wait(20) == code
    assert list(tmp_path.iterdir()) == []
