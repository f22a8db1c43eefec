"""How the load of the pack `spending` reads."""

from __future__ import annotations

import json

import pytest

from aegis_authz.cli.spending_text import show_spending, spending_json
from aegis_authz.load.spending import TABLE, Played, Reply, Spent

PASSED, HELD = Reply(0.0, 0.0, 0.0205, "", ""), Reply(0.0, 0.0, 0.01, "APPROVAL_NEEDED", "")
GOOD = Played(TABLE[0], [PASSED, HELD], Spent(0, 40_000_000, 500_000_000, "USD"))
OVER = Played(TABLE[2], [PASSED] * 4, None)


def test_each_agent_has_a_line_and_the_last_says_that_limits_held(capsys: pytest.CaptureFixture[str]) -> None:
    show_spending([GOOD])
    text = capsys.readouterr().out
    for words in ("finance-agent", "500 USD", "3 calls", "20.5", "40.00", "500.00 USD", "1 x APPROVAL_NEEDED"):
        assert words in text
    assert text.endswith("no limit was exceeded\n")


def test_a_limit_that_was_exceeded_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    show_spending([GOOD, OVER])
    text = capsys.readouterr().out
    assert "devops-agent: a limit was exceeded by 2" in text
    assert "no limit was exceeded" not in text


def test_nothing_is_said_of_limits_that_nobody_could_check(capsys: pytest.CaptureFixture[str]) -> None:
    show_spending([GOOD, Played(TABLE[0], [PASSED], None)])
    text = capsys.readouterr().out
    assert "finance-agent: 1 x no budget among its limits" in text
    assert "no limit was exceeded" not in text


def test_json_has_micro_units_and_milliseconds() -> None:
    first, second = json.loads(spending_json([GOOD, OVER]))["spending"]
    assert (first["passed"], first["refused"], first["spent"], first["p99_ms"]) == (
        1, {"APPROVAL_NEEDED": 1}, 40_000_000, 20.5,
    )  # fmt: skip
    assert (second["excess"], second["budget"]) == (2, None)
