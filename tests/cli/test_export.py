"""`aegis export`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from aegis_authz.cli.export import export
from tests.support.exported_records import EVERY, payment, write_log
from tests.support.siem_receivers import TOKEN, SplunkServer, SyslogServer, http_serving


def run(*words: str | Path) -> Result:
    app = typer.Typer()
    app.command()(export)
    return CliRunner().invoke(app, [str(word) for word in words], env={"AEGIS_EXPORT_TOKEN": TOKEN})


@pytest.fixture
def records(tmp_path: Path) -> Path:
    write_log(tmp_path / "records", EVERY)
    return tmp_path / "records"


@pytest.mark.parametrize("form", ["json", "ocsf", "ecs"])
def test_standard_output_gets_an_object_a_line(records: Path, form: str) -> None:
    result = run(records, "--format", form)
    assert result.exit_code == 0, result.output
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == len(EVERY)
    assert result.stderr == f"aegis export: {len(EVERY)} delivered, 0 refused, 0 unreadable\n"


def test_cef_is_a_line_an_event(records: Path) -> None:
    lines = run(records, "--format", "cef").stdout.splitlines()
    assert len(lines) == len(EVERY) and all(line.startswith("CEF:0|Aegis|aegis-authz|") for line in lines)


def test_with_a_cursor_the_next_run_goes_on(records: Path, tmp_path: Path) -> None:
    first = run(records, "--cursor", tmp_path / "c")
    write_log(records, (*EVERY, payment(1)))
    second = run(records, "--cursor", tmp_path / "c")
    assert len(first.stdout.splitlines()) == len(EVERY)
    assert [json.loads(line)["decision_id"] for line in second.stdout.splitlines()] == ["d-1"]


def test_events_go_to_splunk_and_its_token_is_on_no_command_line(records: Path) -> None:
    server = SplunkServer()
    with http_serving(server):
        result = run(records, "--to", f"splunk+{server.url}", "--format", "ocsf", "--name", "mesh-1")
    assert result.exit_code == 0, result.output
    assert [event["event"]["metadata"]["sequence"] for event in server.taken] == list(range(1, len(EVERY) + 1))
    assert {event["source"] for event in server.taken} == {"mesh-1"}


def test_events_go_to_syslog(records: Path) -> None:
    server = SyslogServer()
    with server.serving():
        result = run(records, "--to", f"syslog+tcp://127.0.0.1:{server.port}", "--format", "cef")
        assert len(server.wait_for(len(EVERY))) == len(EVERY)
    assert result.exit_code == 0, result.output


def test_what_was_refused_for_good_is_told_and_the_exit_code_says_so(records: Path) -> None:
    server = SplunkServer()
    server.poison = '"d-4"'
    with http_serving(server):
        result = run(records, "--to", f"splunk+{server.url}")
    assert result.exit_code == 1
    assert "refused for good: event authz-0:4:" in result.stderr
    assert f"{len(EVERY) - 1} delivered, 1 refused" in result.stderr


def test_a_receiver_that_is_away_is_told_with_exit_code_2(records: Path) -> None:
    server = SplunkServer()
    with http_serving(server):
        pass
    result = run(records, "--to", f"splunk+{server.url}", "--patience", "0")
    assert result.exit_code == 2
    assert "the receiver cannot be reached: ConnectError" in result.stderr


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--format", "xml"), "one of json, ocsf, ecs, cef"),
        (("--parameters", "some"), "one of none, names, clear"),
        (("--zone", "Mars/Olympus"), "no time zone"),
        (("--zone", "../etc/passwd"), "no time zone"),
        (("--since", "soon"), "--since"),
        (("--to", "ftp://x"), "--to is one of"),
    ],
)
def test_a_word_that_is_none_is_named(records: Path, words: tuple[str, str], problem: str) -> None:
    result = run(records, *words)
    assert result.exit_code == 2
    assert problem in result.output


def test_no_records_are_told(tmp_path: Path) -> None:
    result = run(tmp_path / "none")
    assert result.exit_code == 2 and "is not a folder" in result.stderr
