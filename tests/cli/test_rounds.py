"""Commands that do a round, or go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
import typer

from aegis_authz.cli.rounds import Rounds
from aegis_authz.commands.faults import Unable


@dataclass(frozen=True)
class Done:
    """What one round did."""

    segment: int


def rounds_of(*rounds: Sequence[Done] | Exception, nothing: str = "") -> Rounds[Done]:
    left = [*rounds]

    def one_round() -> Sequence[Done]:
        results = left.pop(0)
        if isinstance(results, Exception):
            raise results
        return results

    return Rounds(one_round, lambda done: f"segment {done.segment}", lambda all_of_it: {"segments": all_of_it}, nothing)


def interrupted(pauses: list[float], after: int) -> Callable[[float], None]:
    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == after:
            raise KeyboardInterrupt

    return wait


def test_a_command_goes_on_when_a_round_cannot_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    pauses: list[float] = []
    rounds = rounds_of(Unable("the store does not answer"), [Done(1), Done(2)])
    assert rounds.run(1, as_json=False, wait=interrupted(pauses, 2)) == []
    said = capsys.readouterr()
    assert (said.out, pauses) == ("segment 1\nsegment 2\n", [10, 10])
    assert said.err == "aegis audit: the store does not answer\n\n"


def test_a_pause_is_as_long_as_was_said_and_each_result_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    pauses: list[float] = []
    rounds_of([Done(1)], [Done(2)]).run(600, as_json=True, wait=interrupted(pauses, 2))
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [{"segment": 1}, {"segment": 2}]
    assert pauses == [600, 600]


def test_a_single_round_returns_what_it_did_and_says_where_that_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert rounds_of([Done(1)], nothing="nothing to do").run(0, as_json=False) == [Done(1)]
    assert rounds_of([], nothing="nothing to do").run(0, as_json=False) == []
    assert capsys.readouterr().out == "segment 1\nnothing to do\n"
    assert rounds_of([Done(1)]).run(0, as_json=True) == [Done(1)]
    assert json.loads(capsys.readouterr().out) == {"segments": [{"segment": 1}]}


def test_a_single_round_that_cannot_be_done_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        rounds_of(Unable("the store does not answer")).run(0, as_json=False)
    assert ended.value.exit_code == 2
    assert "the store does not answer" in capsys.readouterr().err
