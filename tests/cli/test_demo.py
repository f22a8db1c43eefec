"""What `aegis demo` takes; what it plays is held by tests/e2e."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.app import app
from aegis_authz.cli.exit_codes import UNABLE


def test_a_use_case_that_nobody_knows_is_no_use_case() -> None:
    done = CliRunner().invoke(app, ["demo", "retail"])
    assert done.exit_code == UNABLE
    assert "'mssp'" in done.stderr


def test_json_is_of_use_cases_alone() -> None:
    done = CliRunner().invoke(app, ["demo", "--json"])
    assert (done.exit_code, done.stderr) == (UNABLE, "aegis demo: --json is of use cases: name one\n")


def test_a_use_case_does_not_stay() -> None:
    done = CliRunner().invoke(app, ["demo", "fintech", "--stay"])
    assert (done.exit_code, done.stderr) == (UNABLE, "aegis demo: --stay is of the whole scenario: name no use case\n")


@pytest.mark.parametrize("name", ["fintech", "healthcare", "saas", "devops", "mssp"])
def test_the_help_names_each_use_case(name: str) -> None:
    assert name in CliRunner().invoke(app, ["demo", "--help"]).stdout
