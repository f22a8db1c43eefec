from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.telemetry.log_lines import MEMBERS, MOST_CHARACTERS, JsonLines, LogFormat, log_to_stderr

PAGE = Path(__file__).resolve().parents[2] / "docs" / "logs.md"


def written(message: str, *words: object, fault: BaseException | None = None) -> str:
    exc_info = None if fault is None else (type(fault), fault, fault.__traceback__)
    record = logging.LogRecord("aegis_authz.check", logging.WARNING, "file.py", 1, message, words, exc_info)
    record.created = 1_795_408_921.25
    return JsonLines("authz-0").format(record)


def test_an_event_is_one_object_with_the_members_of_the_schema() -> None:
    assert json.loads(written("%s does not answer", "opa")) == {
        "time": "2026-11-23T04:42:01.250Z",
        "level": "WARNING",
        "process": "authz-0",
        "logger": "aegis_authz.check",
        "message": "opa does not answer",
    }


def test_an_exception_is_named_and_its_stack_is_there() -> None:
    try:
        raise LookupError("nothing there")
    except LookupError as fault:
        line = json.loads(written("a check failed", fault=fault))
    assert line["exception"] == "LookupError"
    assert line["stack"].rstrip().endswith("LookupError: nothing there")
    assert line.keys() == MEMBERS.keys()


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_text_breaks_a_line(text: str) -> None:
    line = written("%s", text)
    assert "\n" not in line and "\r" not in line
    assert isinstance(json.loads(line)["message"], str)


def test_a_long_message_is_cut_and_says_so() -> None:
    message = json.loads(written("%s", "x" * (MOST_CHARACTERS + 5)))["message"]
    assert message == "x" * MOST_CHARACTERS + "... and 5 characters more"


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_events_go_to_standard_error_in_the_form_that_was_asked_for(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        log_to_stderr("control", log_format)
        logging.getLogger("aegis_authz.control").info("ready")
        logging.getLogger("aegis_authz.control").debug("no news")
        logging.getLogger("httpx").info("HTTP Request: POST https://hooks.example/the-secret")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert (line.startswith("{"), "ready" in line) == (log_format is LogFormat.JSON, True)


def test_the_page_lists_the_members_in_their_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == dict(MEMBERS) and [name for name, _ in rows] == list(MEMBERS)
    assert str(MOST_CHARACTERS) in PAGE.read_text("utf-8")
