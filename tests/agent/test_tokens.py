from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from aegis_authz.agent.tokens import AgentToken, TokenFault, TokenKeeper, rest_until


class Issuer:
    """A control plane that answers by script: a life, or None while it is away."""

    def __init__(self, *answers: float | None, chance: float = 0) -> None:
        self._answers = list(answers)
        self._chance = lambda: chance
        self.calls = 0
        self.now = 0.0
        self.reports: list[str] = []
        self.pauses: list[float] = []

    async def obtain(self) -> AgentToken:
        self.calls += 1
        life = self._answers.pop(0)
        if life is None:
            raise TokenFault("the control plane does not answer")
        return AgentToken(f"token-{self.calls}", life)

    async def pause(self, _: asyncio.Event, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.now += seconds
        if not self._answers:
            raise asyncio.CancelledError
        return True

    def keeper(self) -> TokenKeeper:
        return TokenKeeper(self.obtain, self._clock(), self.reports.append, self._chance)

    def _clock(self) -> Callable[[], float]:
        return lambda: self.now


async def kept(issuer: Issuer) -> TokenKeeper:
    keeper = issuer.keeper()
    with pytest.raises(asyncio.CancelledError):
        await keeper.keep(issuer.pause)
    return keeper


async def test_a_token_serves_until_it_ends_and_not_to_its_last_moment() -> None:
    issuer = Issuer(300, 300)
    keeper = issuer.keeper()
    assert await keeper.token() == await keeper.token() == "token-1"
    issuer.now = 297.9
    assert await keeper.token() == "token-1"
    issuer.now = 298.1
    assert await keeper.token() == "token-2"


async def test_many_calls_at_once_ask_for_one_token() -> None:
    issuer = Issuer(300)
    keeper = issuer.keeper()
    assert await asyncio.gather(*(keeper.token() for _ in range(20))) == ["token-1"] * 20
    assert issuer.calls == 1


async def test_the_next_token_is_obtained_at_two_thirds_of_its_life() -> None:
    issuer = Issuer(300, 60)
    await kept(issuer)
    assert issuer.pauses == [200, 40]
    assert issuer.reports == []


async def test_while_the_control_plane_is_away_the_old_token_serves_until_it_ends() -> None:
    issuer = Issuer(300, *[None] * 7, None, None, 300)
    keeper = await kept(issuer)
    assert issuer.pauses[:8] == [200, 1, 2, 4, 8, 16, 30, 30]
    assert issuer.reports == [
        "the control plane does not answer; the token of before serves for 100 s more",
        "the control plane issues tokens again",
    ]
    assert await keeper.token() == "token-11"


async def test_without_any_token_the_call_is_told_why() -> None:
    issuer = Issuer(None, None, 300)
    keeper = issuer.keeper()
    with pytest.raises(TokenFault, match="does not answer"):
        await keeper.token()
    with pytest.raises(TokenFault, match="does not answer"):
        await keeper.token()
    assert await keeper.token() == "token-3"


async def test_one_that_never_had_a_token_says_that_calls_are_refused() -> None:
    issuer = Issuer(None)
    await kept(issuer)
    assert issuer.reports == ["the control plane does not answer; calls are refused until it does"]


async def test_what_began_at_once_does_not_ask_at_once() -> None:
    issuer = Issuer(300, None, 300, chance=0.5)
    await kept(issuer)
    assert issuer.pauses == [190, 0.75, 190]


async def test_what_is_held_is_known_without_asking() -> None:
    issuer = Issuer(300)
    keeper = issuer.keeper()
    assert (keeper.current(), keeper.trouble, issuer.calls) == (None, "none was obtained yet", 0)
    await keeper.token()
    assert (keeper.current(), keeper.trouble, issuer.calls) == ("token-1", "", 1)
    issuer.now = 299
    assert keeper.current() is None


async def test_a_control_plane_that_is_away_is_the_trouble() -> None:
    issuer = Issuer(None)
    keeper = issuer.keeper()
    with pytest.raises(TokenFault):
        await keeper.token()
    assert keeper.trouble == "the control plane does not answer"


async def test_a_token_that_was_discarded_is_replaced_soon_and_each_time_later() -> None:
    issuer = Issuer(300, 300, 300, 300)
    keeper = issuer.keeper()

    async def pause(unusable: asyncio.Event, seconds: float) -> bool:
        issuer.pauses.append(seconds)
        if len(issuer.pauses) == 7:
            raise asyncio.CancelledError
        if seconds != 200:
            return await rest_until(unusable, 0)
        keeper.discard("another token")
        assert not unusable.is_set()
        keeper.discard(f"token-{issuer.calls}")
        assert (keeper.current(), keeper.trouble) == (None, "the token did not verify")
        return await rest_until(unusable, seconds)

    with pytest.raises(asyncio.CancelledError):
        await keeper.keep(pause)
    assert issuer.pauses == [200, 1, 200, 2, 200, 4, 200]
    assert issuer.calls == 4


def test_a_token_is_not_in_its_repr() -> None:
    assert "secret" not in repr(AgentToken("secret", 300))
