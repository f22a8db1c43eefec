"""A project that tests its agent against its policies, with the plugin alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aegis_authz.local.documents import example_documents
from sdk.python.tests.frameworks import ENVIRONMENT

PROJECT = """
import pytest
from aegis_agent import AegisDenied, ApprovalNeeded
from aegis_agent.httpx import Client

URL = "http://api.stripe.example/v1/payments"


def test_small_payments_pass(aegis):
    with Client(aegis) as client:
        assert client.post(URL, json={"amount": 100, "payee": "ACME"}).is_success


def test_large_payments_do_not(aegis):
    with Client(aegis) as client, pytest.raises(AegisDenied, match="Policy does not allow"):
        client.post(URL, json={"amount": 50000, "payee": "ACME"})


def test_those_between_need_a_person(aegis, aegis_mesh):
    with Client(aegis) as client:
        with pytest.raises(ApprovalNeeded) as held:
            client.post(URL, json={"amount": 5600, "payee": "ACME"})
        aegis_mesh.approve(held.value.approval_id)
        assert held.value.wait(60).is_success
"""


@pytest.mark.slow
def test_a_project_tests_its_agent_on_a_mesh_of_its_own(tmp_path: Path) -> None:
    documents = example_documents()
    settings = {
        "aegis_policies": documents / "agents",
        "aegis_tools": documents / "tools",
        "aegis_agent": "acme/emea/finance-agent",
        "aegis_command": f"{sys.executable} -m aegis_authz.cli",
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (tmp_path / "pytest.ini").write_text("\n".join(["[pytest]", *lines]), "utf-8")
    (tmp_path / "test_payments.py").write_text(PROJECT, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "aegis_agent.testing"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    assert "3 passed" in done.stdout, done.stdout


def test_a_mesh_that_does_not_start_is_the_fault_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_payments.py").write_text("def test_payments(aegis): ...\n", "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naegis_command = false\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "aegis_agent.testing"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
    )
    assert "aegis up ended with 1" in done.stdout
