"""docs/issuing.md and docs/identity.md, followed to the letter in a folder with a running mesh."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.page_steps import Command, problems, steps, stop_mesh, terminal

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text("utf-8") for name in ("issuing.md", "identity.md")}
POLICY = """\
agent: finance-agent
org: acme
tenant: emea
allowed_tools:
  - {name: stripe-payments, actions: [create_payment], conditions: {max_amount: 5000}}
"""
TOOL = """\
tool: stripe-payments
host: api.stripe.example
upstream: http://127.0.0.1:9001
actions:
  create_payment: {match: POST /v1/payments}
"""


@pytest.mark.slow
def test_every_command_does_what_the_pages_print(tmp_path: Path) -> None:
    for folder, text in (("agents", POLICY), ("tools", TOOL)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "first.yaml").write_text(text)
    environment = terminal()
    environment.pop("AEGIS_DIR", None)
    try:
        up = ["aegis", "up", "--detach", "--workers", "1"]
        subprocess.run(up, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=300)
        for name, page in PAGES.items():
            assert [f"{name} {problem}" for problem in problems(steps(page), tmp_path, environment)] == []
        proof = ["aegis", "audit", "verify", ".aegis/records"]
        verified = subprocess.run(proof, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
        assert verified.returncode == 0, verified.stdout  # across the change of key, too
    finally:
        stop_mesh(tmp_path, ".aegis")


def test_no_command_stands_on_the_pages_that_nobody_runs() -> None:
    for name, page in PAGES.items():
        run = [step.text for step in steps(page) if isinstance(step, Command)]
        assert any(text.startswith("aegis ") for text in run), name
        assert re.findall(r"^ {4}aegis .*$", page, re.MULTILINE) == [], name
