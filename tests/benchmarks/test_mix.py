from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.contenders.mix_lineup import DEFAULT, Load, mix_line_up, mix_mesh
from benchmarks.measure.passes import Pass, play
from benchmarks.measure.results import EQUAL, MIX_COLD, MIX_HOT, MIX_NEW, MIX_TWO, PEER, SIDECAR, SIDECAR_COMPILED, Mix
from benchmarks.mix import Played, gathered, main, show
from benchmarks.report.goals import mix_goals


def passed(authz: float, refused: int = 0) -> Pass:
    """A pass of 1,000 right answers: so many microseconds of the authorizer, 100 of OPA, for each."""
    return Pass(1000, {"OVERLOADED": refused} if refused else {}, {"authz": authz / 1000, "opa": 0.1})


def played(cold: float, *hot: float, two: float) -> Played:
    passes = [passed(each) for each in hot]
    return Played({MIX_COLD: [passed(cold)], MIX_NEW: passes, MIX_HOT: passes, MIX_TWO: [passed(two)]})


def found(sidecar: float, two: float = 100.0) -> Mix:
    """What is found when a call without a token costs so much, and the peer 500."""
    contenders = {
        PEER: played(400, 400, two=400),
        SIDECAR_COMPILED: played(sidecar, sidecar, two=two),
    }
    return gathered(1000, 1, contenders)


def printed(mix: Mix) -> tuple[bool, str]:
    written = io.StringIO()
    is_met = show(Console(file=written, width=150), mix, mix_goals(mix))
    return is_met, written.getvalue()


def test_the_first_pass_stands_alone_and_the_others_count_together() -> None:
    mix = gathered(1000, 3, {DEFAULT: played(900, 500, 400, 900, two=100)})
    assert mix.costs[DEFAULT] == pytest.approx({MIX_COLD: 1000, MIX_NEW: 700, MIX_HOT: 700, MIX_TWO: 200})
    assert mix.by_part[DEFAULT][MIX_HOT] == pytest.approx({"authz": 600, "opa": 100, "total": 700})


def test_more_held_calls_than_may_wait_are_refused_before_anything_starts() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--calls", "3000", "--rounds", "9"])
    assert ended.value.code == 2


def test_refused_calls_of_all_passes_are_counted() -> None:
    passes = {MIX_COLD: [passed(1, 2)], MIX_NEW: [passed(1)], MIX_HOT: [passed(1), passed(1, 3)], MIX_TWO: [passed(1)]}
    mix = gathered(1000, 2, {DEFAULT: Played(passes)})
    assert mix.refused == {DEFAULT: {"OVERLOADED": 5}}
    assert "refused {'OVERLOADED': 5}" in printed(mix)[1]


def test_what_is_written_is_what_the_goals_read() -> None:
    mix = found(200)
    assert mix_goals(Mix.model_validate_json(mix.model_dump_json())) == mix_goals(mix)


def test_half_as_much_again_as_the_peer_on_the_mix_meets_the_goal() -> None:
    is_met, text = printed(found(230, two=230))
    assert is_met
    assert "1.52x: met (330 µs against 500 µs)" in text


def test_less_than_that_misses_it() -> None:
    is_met, text = printed(found(240, two=240))
    assert not is_met
    assert "1.47x: missed (340 µs against 500 µs)" in text


def test_a_mix_that_costs_more_than_the_two_calls_by_more_than_it_costs_the_peer_misses_the_goal() -> None:
    is_met, text = printed(found(200, two=140))
    assert not is_met
    assert "0.80 of it: missed" in text


def test_without_the_peer_nothing_is_met() -> None:
    is_met, text = printed(gathered(1000, 1, {DEFAULT: played(1, 1, two=1)}))
    assert not is_met
    assert text.count("not measured") >= 6


@pytest.mark.slow
@pytest.mark.usefixtures("opa_binary", "redis_binary", "envoy_binary")
async def test_all_answer_the_mix_as_is_due_with_tokens_of_both_keys_and_without_any() -> None:
    names = (DEFAULT, EQUAL, SIDECAR)
    with tempfile.TemporaryDirectory() as folder:
        async with mix_mesh(Path(folder), 1) as mesh, mix_line_up(mesh, names, str) as contenders:
            assert [contender.name for contender in contenders] == list(names)
            for contender in contenders:
                for load in Load:
                    place = contender.places[load]
                    answers = await play(place.check, contender.questions(load, 300, 3), place.pids)
                    assert (answers.right, answers.refused) == (300, {})
