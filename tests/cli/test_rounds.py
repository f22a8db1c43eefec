"""Commands that go on."""

from __future__ import annotations

import pytest

from aegis_authz.cli.rounds import repeat
from aegis_authz.commands.faults import Unable


def test_a_command_goes_on_when_a_round_cannot_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    rounds = iter(["away", "there"])
    pauses: list[float] = []
    shown: list[str] = []

    def one_round() -> list[str]:
        if next(rounds) == "away":
            raise Unable("the store does not answer")
        return ["shipped"]

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    repeat(one_round, shown.append, 1, wait)
    assert (shown, pauses) == (["shipped"], [10, 10])
    assert capsys.readouterr().err == "aegis audit: the store does not answer\n\n"
