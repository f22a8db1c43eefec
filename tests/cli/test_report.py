"""`aegis report` on a folder of records as two authorizers leave it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.app import app
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, ChargeRecord, DecisionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.encoding.jwk import okp_jwk
from tests.support.made_records import APPROVAL, approval_step
from tests.support.recorded_payments import KEY, outcome, payment, write_log

Run = Callable[..., Result]

HELD = replace(payment(0, 900, Reason.APPROVAL_NEEDED), approval_id=APPROVAL)
PASSED = replace(payment(60, 900, Reason.APPROVED), approval_id=APPROVAL)
OVER = ChargeRecord("l", "a day", "paying", "acme/emea/payer", "budget", "EUR", 1, 2, 0, 2, 0.0, "over", "deny")
SPENT = replace(payment(90, 5, Reason.BUDGET_EXCEEDED), charges=(OVER,))
HOSTILE = replace(payment(95, 5, Reason.POLICY_DENIED), action="=cmd|'<script>alert(1)</script>'")


def abroad(record: DecisionRecord) -> DecisionRecord:
    """The same call by an agent of another tenant."""
    assert record.identity is not None
    return replace(record, identity=replace(record.identity, scope=Scope("acme", "us", "stranger")))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on the records of a mesh."""
    state = tmp_path / "state"
    (state / "keys").mkdir(parents=True)
    public = KEY.public_key().public_bytes_raw()
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(public)]}))
    approved = approval_step(HELD, ApprovalStep.APPROVED, 42, "ann", "invoice 4711")
    later = replace(payment(5000, 5, Reason.ALLOWED), revision="r2")
    write_log(state / "records", "authz-0", [HELD, approved, PASSED, outcome(PASSED, 1), SPENT, HOSTILE])
    write_log(state / "records", "authz-1", [later, abroad(payment(10, 5, Reason.ALLOWED))])

    def ran(*words: str, tenant: str = "acme/emea", begin: str = "2026-11-30T12:00Z") -> Result:
        return CliRunner().invoke(app, ["report", "--tenant", tenant, "--from", begin, "--dir", str(state), *words])

    return ran


def section(result: Result, title: str) -> list[dict[str, str]]:
    sections = {entry["title"]: entry["rows"] for entry in json.loads(result.stdout)["sections"]}
    rows: list[dict[str, str]] = sections[title]
    return rows


def test_who_approved_what_and_what_came_of_it(run: Run) -> None:
    result = run("--format", "json")
    assert result.exit_code == 0, result.output
    assert section(result, "Calls held for a person") == [
        {
            "at": "2026-11-30 12:00:00Z",
            "agent": "payer",
            "call": "payments-api pay",
            "decided": "approved by ann at 2026-11-30 12:00:42Z (invoice 4711)",
            "use": "passed at 2026-11-30 12:01:00Z, status 201",
            "approval": APPROVAL,
        }
    ]


def test_calls_limits_revisions_and_proofs_are_of_the_tenant_and_the_time(run: Run) -> None:
    result = run("--format", "json", "--to", "2026-11-30T13:00Z")
    assert section(result, "Calls") == [{"agent": "payer", "allow": "1", "approval_needed": "1", "deny": "2"}]
    assert [row["reason"] for row in section(result, "Refused calls")] == ["BUDGET_EXCEEDED", "POLICY_DENIED"]
    [limit] = section(result, "Limits exceeded")
    assert (limit["limit"], limit["what became of it"], limit["calls"]) == ("a day", "refused", "1")
    assert [row["revision"] for row in section(result, "Revisions in force")] == ["r1"]
    assert [(row["log"], row["state"]) for row in section(result, "Proofs")] == [
        ("authz-0", "intact"),
        ("authz-1", "intact"),
    ]
    assert [row["revision"] for row in section(run("--format", "json"), "Revisions in force")] == ["r1", "r2"]
    assert section(run("--format", "json", tenant="acme/us"), "Calls") == [{"agent": "stranger", "allow": "1"}]


class Page(HTMLParser):
    """The tags of a page, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)


def test_the_page_holds_what_agents_wrote_as_text_and_nothing_from_elsewhere(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert run("--out", str(out)).exit_code == 0
    page = Page()
    page.feed(out.read_text())
    assert {"script", "img", "link"}.isdisjoint(page.tags)
    assert HOSTILE.action in page.texts
    assert "Report on acme/emea" in page.texts
    assert "@media print" in out.read_text()


def test_a_spreadsheet_runs_nothing_of_the_csv(run: Run) -> None:
    cells = list(csv.DictReader(io.StringIO(run("--format", "csv").stdout)))
    assert f"'{HOSTILE.action}" in [cell["value"] for cell in cells]
    assert {cell["section"] for cell in cells} >= {"Calls", "Refused calls", "Proofs"}


def test_a_log_that_is_damaged_is_reported_and_no_success(run: Run, tmp_path: Path) -> None:
    [log] = (tmp_path / "state" / "records" / "authz-0").glob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"amount":900', b'"amount":901', 1))
    result = run("--format", "json")
    assert result.exit_code == 1
    assert "DAMAGED" in [row["state"] for row in section(result, "Proofs")]


def test_a_call_that_went_by_is_reported_and_no_success(run: Run, tmp_path: Path) -> None:
    members = {
        "time": "2026-11-30T12:30:00.000Z",
        "decision_id": None,
        "upstream": "10.0.0.9:443",
        "upstream_cluster": "tool:payments-api:3f71",
        "details": "via_upstream",
    }
    (tmp_path / "access.log").write_text(json.dumps(members) + "\n")
    result = run("--format", "json", "--access-log", str(tmp_path / "access.log"))
    assert result.exit_code == 1
    assert "call-without-decision" in [row["kind"] for row in section(result, "Gaps")]


def test_a_tenant_without_its_org_is_none(run: Run) -> None:
    assert run(tenant="emea").exit_code == 2
