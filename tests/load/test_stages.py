"""The stages of a load, against an attack that is played."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_authz.load.calls import Call
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.stages import Aim, NothingRight, Stages, Wish
from aegis_authz.load.tokens import GivenTokens
from aegis_authz.load.vegeta import Plan


class Attack:
    """Sends nothing: answers `ceiling` calls a second rightly, as far as there are targets."""

    def __init__(self, ceiling: float, wrong_at: int = -1) -> None:
        self.plans: list[Plan] = []
        self.tokens: list[str] = []
        self._ceiling = ceiling
        self._wrong_at = wrong_at

    async def __call__(self, targets: Path, plan: Plan) -> Outcome:
        self.plans.append(plan)
        offered = min(plan.rate or self._ceiling, self._ceiling)
        lines = targets.read_text().splitlines()
        sent = min(round(offered * plan.seconds), len(lines))
        self.tokens += lines[:sent]
        wrong = sent if len(self.plans) == self._wrong_at else 0
        right, faults = sent - wrong, {"HTTP 403 where 200 was due": wrong} if wrong else {}
        return Outcome(plan.rate, sent / offered, sent, right, {}, wrong, 0, faults, (0.001,) * right)


def aim(count: int = 100_000) -> Aim:
    return Aim("http://127.0.0.1:1", [Call("/")], GivenTokens([f"t{n}" for n in range(count)]))


def quiet(line: str) -> None:
    """Progress nobody reads."""


async def test_the_ceiling_is_found_first_and_the_rates_are_shares_of_it() -> None:
    attack = Attack(1000)
    played = await Stages(attack, aim(), quiet).play(Wish(seconds=5, connections=8))
    assert attack.plans == [Plan(None, 1, 8), Plan(None, 5, 8), *(Plan(rate, 5, 8) for rate in (250, 500, 850))]
    assert [stage.plan for stage in played] == attack.plans[1:]


async def test_asked_for_rates_no_more_is_ever_sent() -> None:
    attack = Attack(1000)
    await Stages(attack, aim(), quiet).play(Wish(2, 8, rates=(30, 60)))
    assert attack.plans == [Plan(30, 1, 8), Plan(30, 2, 8), Plan(60, 2, 8)]


async def test_there_are_tokens_for_every_call_and_each_is_sent_once() -> None:
    attack = Attack(1000)
    played = await Stages(attack, aim(), quiet).play(Wish(2, 8))
    assert len(attack.tokens) == len(set(attack.tokens)) == 1000 + sum(stage.outcome.sent for stage in played)


async def test_the_load_ends_when_the_tokens_do_and_says_so() -> None:
    said: list[str] = []
    played = await Stages(Attack(1000), aim(1100), said.append).play(Wish(1, 8))
    assert [stage.outcome.sent for stage in played] == [100]
    assert said[-1] == "the tokens are used up"


async def test_a_wrong_answer_while_warming_up_is_kept() -> None:
    class FirstWrong(Attack):
        async def __call__(self, targets: Path, plan: Plan) -> Outcome:
            seen = await super().__call__(targets, plan)
            if len(self.plans) > 1:
                return seen
            return Outcome(None, 1, seen.sent, seen.right - 1, {}, 1, 0, {"x": 1}, seen.latencies[1:])

    played = await Stages(FirstWrong(100), aim(), quiet).play(Wish(1, 1, rates=(10,)))
    assert [stage.outcome.wrong for stage in played] == [1, 0]


async def test_nothing_right_ends_it_with_what_was_seen() -> None:
    attack = Attack(1000, wrong_at=1)
    with pytest.raises(NothingRight) as nothing:
        await Stages(attack, aim(), quiet).play(Wish(5, 8))
    assert nothing.value.stage.outcome.wrong == 1000
    assert len(attack.plans) == 1


async def test_a_load_longer_than_its_tokens_is_refused() -> None:
    class Short(GivenTokens):
        def __init__(self) -> None:
            super().__init__(["a"])
            self.life = 60.0

    with pytest.raises(ValueError, match="30 seconds at most"):
        await Stages(Attack(1), Aim("http://h", [Call("/")], Short()), quiet).play(Wish(31, 1))
