"""The use cases of `aegis demo`, on the mesh of all tests; each prints what its page shows."""

from __future__ import annotations

import doctest
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.use_cases.play import play
from aegis_authz.demo.use_cases.report import report_json, report_lines
from aegis_authz.demo.use_cases.run import USE_CASES
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from tests.support.page_steps import terminal

PAGES = Path(__file__).parents[2] / "docs" / "use-cases"
BY_THE_CLOCK = "(off-hours.yml)"
"""The rule that fires on an approval at night or at the weekend, whenever the tests run."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole_mesh(mesh: DemoMesh) -> DemoMesh:
    """The mesh, whose limits hold: other tests take its Redis away, and until a reset they are lost."""
    await mesh.aegis("limits", "reset", "--dir", str(mesh.state), "--note", "nothing here was paid")
    return mesh


@pytest.mark.parametrize("name", USE_CASES)
@pytest.mark.asyncio(loop_scope="session")
async def test_a_use_case_ends_in_its_evidence_and_prints_what_its_page_shows(
    name: str, whole_mesh: DemoMesh, agent: Agent, receiver: SpanReceiver
) -> None:
    outcome = await play(USE_CASES[name], whole_mesh, agent, receiver)
    assert outcome.gaps() == []
    assert json.loads(report_json(outcome))["ok"] is True
    lines = [line for line in report_lines(outcome) if not line.endswith(BY_THE_CLOCK)]
    printed = "\n".join(lines) + "\n"
    [page] = re.findall(
        rf"^```console\n\$ aegis demo {name}\n(.*?)^```$",
        (PAGES / f"{name}.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(page, printed, flags), f"{printed}\npage:\n{page}"


@pytest.mark.slow
def test_the_command_plays_them_all_on_a_mesh_of_its_own() -> None:
    command = [Path(sys.executable).with_name("aegis"), "demo", *USE_CASES, "--json"]
    done = subprocess.run(command, env=terminal(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(report["use_case"], report["ok"], report["gaps"]) for report in reports] == [
        (name, True, []) for name in USE_CASES
    ]
