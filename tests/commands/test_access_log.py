from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.audit import app
from aegis_authz.commands.access_log import proxy_refusals
from aegis_authz.commands.faults import Unable

JUDGED = {"time": "t0", "status": 200, "method": "GET", "decision_id": "d-1", "details": "via_upstream"}
CONNECT = {"time": "t1", "status": 404, "method": "CONNECT", "decision_id": None, "details": "route_not_found"}
FRAMING = {"time": "t2", "status": 400, "method": None, "decision_id": None, "details": "http1.codec_error"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "access.log"
    path.parent.mkdir()
    path.write_text("".join(f"{json.dumps(line)}\n" for line in (JUDGED, CONNECT, JUDGED, FRAMING)) + "{half")
    return path


def test_what_was_answered_without_a_decision_is_listed_and_what_cannot_be_read_too(log: Path) -> None:
    connect, framing, half = proxy_refusals(log, 10)
    assert (connect.members["status"], connect.members["details"]) == ("404", "route_not_found")
    assert (framing.members["method"], framing.members["details"]) == ("", "http1.codec_error")
    assert half.fault
    assert proxy_refusals(log, 1) == [half]


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unable):
        proxy_refusals(tmp_path / "none", 1)


def test_the_command_shows_them(log: Path) -> None:
    listed = CliRunner().invoke(app, ["refused-by-proxy", "--dir", str(log.parents[1])])
    assert listed.exit_code == 0, listed.output
    assert "CONNECT" in listed.stdout
    assert "via_upstream" not in listed.stdout
    told = json.loads(CliRunner().invoke(app, ["refused-by-proxy", str(log), "--json"]).stdout)
    assert [line["details"] for line in told[:2]] == ["route_not_found", "http1.codec_error"]
    assert CliRunner().invoke(app, ["refused-by-proxy"]).exit_code == 2
