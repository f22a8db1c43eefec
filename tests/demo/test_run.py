from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from aegis_authz.demo.run import table
from aegis_authz.demo.scenario import Row

LONGEST = Row(
    "shadow",
    "pay 4,200 (would be denied)",
    "approval_needed APPROVAL_NEEDED",
    "approval_needed",
    "CREDENTIAL_UNTRUSTED",
    12345.6,
    "01900000-0000-7000-8000-000000000001",
    True,
)


def shown(rows: list[Row], width: int) -> list[str]:
    console = Console(width=width, no_color=True)
    with console.capture() as capture:
        console.print(table(rows, width))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 159, 160])
def test_a_line_keeps_its_columns_at_any_width(width: int) -> None:
    [line] = [line for line in shown([LONGEST], width) if LONGEST.call in line]
    assert LONGEST.answer in line and LONGEST.reason in line and "12345.6" in line
    assert len(line) <= width and "\u2026" not in line


@pytest.mark.parametrize("width", [80, 100, 159, 160, 200])
def test_a_long_call_takes_a_second_line_and_no_other_column(width: int) -> None:
    long = replace(LONGEST, call="past the gateway: TLS, QUIC, a name server of its own", reason="0 of 3 arrived")
    lines = shown([LONGEST, long], width)
    text = " ".join(" ".join(lines).split())
    assert text.count("\u2713") == text.count("12345.6") == 2
    assert LONGEST.reason in text and "0 of 3" in text and "arrived" in text
    assert set(long.call.split()) <= set(text.split())
    assert max(map(len, lines)) <= width and "\u2026" not in text


@pytest.mark.parametrize("width", [80, 160])
def test_what_was_expected_of_a_line_that_is_wrong_is_shown(width: int) -> None:
    text = " ".join(" ".join(shown([replace(LONGEST, expected="deny REPLAYED", ok=False)], width)).split())
    assert "deny" in text and "REPLAYED" in text


def test_a_wide_terminal_shows_decision_ids() -> None:
    assert any(LONGEST.decision_id in line for line in shown([LONGEST], 160))
