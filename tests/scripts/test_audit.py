"""What scripts/audit makes of pip-audit's answers: a known vulnerability fails, a service out of reach is said."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
HARMED = {"name": "harmed", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "unheard", "skip_reason": "Dependency not found on PyPI and could not be audited"}
TRACEBACK = "Traceback (most recent call last):\n  File ...\n"

Audit = Callable[..., "subprocess.CompletedProcess[str]"]


def audit(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "audit", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def answered(tmp_path: Path) -> Audit:
    """Runs the audit with a pip-audit that prints what the test says."""

    def run(code: int, *, output: str = "", errors: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "output").write_text(output)
        (tmp_path / "errors").write_text(errors)
        program = tmp_path / "pip-audit"
        program.write_text(f"#!/bin/sh\ncat '{tmp_path}/output'\ncat '{tmp_path}/errors' >&2\nexit {code}\n")
        program.chmod(stat.S_IRWXU)
        return audit(PIP_AUDIT=str(program))

    return run


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_without_a_known_vulnerability_pass(answered: Audit) -> None:
    done = answered(0, output=report(SOUND, SOUND))
    assert (done.returncode, done.stdout) == (0, "audit: 2 packages, no known vulnerability\n")


@pytest.mark.parametrize("others", [[SOUND], [SOUND, UNKNOWN], [UNKNOWN]])
def test_a_known_vulnerability_fails_whatever_else_is_known(answered: Audit, others: list[dict[str, object]]) -> None:
    done = answered(1, output=report(HARMED, *others))
    assert done.returncode == 1
    assert "harmed 2.0: PYSEC-1, fixed in 2.1\n" in done.stderr
    assert "AUDIT FAILED" in done.stderr


@pytest.mark.parametrize(
    "fault",
    [
        TRACEBACK + "requests.exceptions.ConnectionError: Failed to resolve 'pypi.org'\n",
        TRACEBACK + "requests.exceptions.ReadTimeout: Read timed out. (read timeout=15)\n",
        TRACEBACK + "requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)\n",
        TRACEBACK + "pip_audit._service.interface.ServiceError\n",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed\nERROR:pip_audit._cli:Tip: ...\n",
    ],
)
def test_a_service_out_of_reach_is_said_and_fails_nothing(answered: Audit, fault: str) -> None:
    done = answered(1, errors=fault)
    assert done.returncode == 0
    assert done.stderr.startswith("AUDIT NOT DONE: the vulnerability service cannot be reached (")
    assert "no known vulnerability" not in done.stdout


def test_a_service_that_knows_nothing_at_all_was_not_reached(answered: Audit) -> None:
    done = answered(0, output=report(UNKNOWN, UNKNOWN))
    assert done.returncode == 0
    assert done.stderr.startswith("AUDIT NOT DONE: the vulnerability service knows none of the 2 locked packages.")


def test_a_package_that_the_service_alone_does_not_know_fails(answered: Audit) -> None:
    done = answered(0, output=report(SOUND, UNKNOWN))
    assert (done.returncode, done.stderr) == (1, "AUDIT FAILED: the vulnerability service does not know unheard\n")


@pytest.mark.parametrize("output", ["", "not JSON", "{}", report()])
def test_an_answer_that_says_nothing_of_packages_fails(answered: Audit, output: str) -> None:
    done = answered(0, output=output)
    assert done.returncode == 1
    assert "AUDIT FAILED" in done.stderr


@pytest.mark.parametrize("fault", ["requests.exceptions.MissingSchema: no scheme", "ImportError: no module 'requests'"])
def test_a_fault_of_the_tool_itself_fails(answered: Audit, fault: str) -> None:
    done = answered(1, errors=TRACEBACK + fault)
    assert done.returncode == 1
    assert fault in done.stderr


def test_the_real_tool_is_known_by_its_words_when_it_is_out_of_reach(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"
    done = audit(
        "--cache-dir", str(tmp_path), **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), nobody), NO_PROXY="", no_proxy=""
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("AUDIT NOT DONE: the vulnerability service cannot be reached (requests.exceptions.")


def test_an_argument_that_the_real_tool_does_not_know_fails() -> None:
    done = audit("--no-such-argument")
    assert done.returncode == 1
    assert "unrecognized arguments: --no-such-argument" in done.stderr
