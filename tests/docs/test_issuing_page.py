"""docs/issuing.md and docs/identity.md, followed to the letter in a folder with a running mesh."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.policy.load import load
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
CONTROL = """\
listen: 127.0.0.1:7000
public_url: http://127.0.0.1:7000
state: /srv/control
keys: /srv/keys
records: /srv/records
policies: /srv/agents
tools: /srv/tools
redis: redis://127.0.0.1:6379
"""
AUTHZ = """\
listen: unix:/run/authz.sock
opa_socket: /run/opa.sock
redis: redis://127.0.0.1:6379
records: /srv/records
record_key: /srv/keys/records.pem
session_keys: /srv/keys/sessions
metrics: 127.0.0.1:9101
metrics_dir: /run/metrics
ready_socket: /run/ready.sock
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
        blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        assert {kind for kind, _ in blocks} == {"console", "yaml"}, name  # the first are run, the others read below
        prompts = sum(text.count("\n$ ") + text.startswith("$ ") for kind, text in blocks if kind == "console")
        assert len(run) == prompts == page.count("\n$ "), name


def test_every_document_and_every_setting_on_the_pages_is_read_as_it_stands(tmp_path: Path) -> None:
    seen = set[str]()
    for page in PAGES.values():
        for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            member = text.partition(":")[0]
            seen.add(member)
            if member == "trust":
                assert [trust.document.trust for trust in load({"trust.yaml": text}, {}).identities.trusts] == [
                    "cluster"
                ]
                continue
            kind, base = (AuthzSettings, AUTHZ) if member == "identity" else (ControlSettings, CONTROL)
            file = tmp_path / "settings.yaml"
            file.write_text(base + text)
            assert member in load_settings(file, kind).model_fields_set
    assert seen == {"trust", "clusters", "rotate_every", "key_service", "identity"}
