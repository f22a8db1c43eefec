"""`aegis bench` on a whole mesh: real Envoy, OPA, Redis and vegeta."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.local.tcp_ports import choose_ports

PACK = Path(__file__).resolve().parents[2] / "policies" / "packs" / "spending"
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


@pytest.fixture(scope="module")
def spending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mesh of the pack, its tools stood in for."""
    folder = tmp_path_factory.mktemp("spending")
    shutil.copytree(PACK, folder / "pack")
    tools, port = folder / "pack" / "tools" / "spending.yaml", choose_ports({"tool": 0}, {})["tool"]
    tools.write_text(re.sub(r"(?m)^host: .*", rf"\g<0>\nupstream: http://127.0.0.1:{port}", tools.read_text()))
    documents = ("--policies", str(folder / "pack" / "agents"), "--tools", str(folder / "pack" / "tools"))
    started = aegis("up", "--detach", "--echo", "--dir", str(folder / "state"), *documents)
    assert started.returncode == 0, started.stderr
    yield folder / "state"
    aegis("down", "--dir", str(folder / "state"))


def test_the_limits_of_the_pack_spending_hold(spending: Path) -> None:
    done = aegis("bench", "--dir", str(spending), "--spending", "acme/emea", "--seconds", "5", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    finance, model, devops = json.loads(done.stdout)["spending"]
    assert (finance["spent"], finance["budget"]) == (finance["passed"] * 40_000_000, 500_000_000)
    assert finance["passed"] <= 12  # a thirteenth payment of 40 is above 500
    assert 0 < model["spent"] <= model["budget"] == 20_000_000
    assert 0 < devops["passed"] <= 2 + 2 * 6
    assert set(finance["refused"]) <= {"APPROVAL_NEEDED", "OVERLOADED"}
    assert all(agent["excess"] == 0 and agent["refused"] for agent in (finance, model, devops))


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
