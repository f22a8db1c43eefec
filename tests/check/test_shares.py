"""One agent takes no more than a share where others call too."""

from __future__ import annotations

import pytest

from aegis_authz.check.shares import GENERATION, LEAST, MOST_KNOWN, Shares
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Monotonic

GREEDY, MODEST = Scope("acme", "emea", "greedy"), Scope("acme", "emea", "modest")
START = Monotonic(100.0)


def entered(shares: Shares, agent: Scope, now: Monotonic = START, most: int = 1000) -> int:
    """How many checks of the agent may go on until one may not."""
    count = 0
    while count < most and shares.enter(agent, now):
        count += 1
    return count


def test_an_agent_who_is_alone_may_have_everything() -> None:
    assert entered(Shares(lambda: 8), GREEDY) == 8


def test_an_agent_among_others_takes_no_more_than_a_share() -> None:
    shares = Shares(lambda: 8)
    assert shares.enter(MODEST, START)
    assert entered(shares, GREEDY) == 4
    assert entered(shares, MODEST) == 3


def test_who_has_more_than_a_share_when_another_comes_gets_no_more() -> None:
    shares = Shares(lambda: 8)
    assert entered(shares, GREEDY, most=8) == 8
    assert shares.enter(MODEST, START)
    assert not shares.enter(GREEDY, START)
    for _ in range(5):
        shares.leave(GREEDY)
    assert shares.enter(GREEDY, START)


def test_while_there_is_room_nobody_is_held_to_a_share() -> None:
    shares = Shares(lambda: 100)
    assert shares.enter(MODEST, START)
    assert entered(shares, GREEDY, most=45) == 45


def test_an_agent_who_calls_no_more_leaves_its_share_to_the_others() -> None:
    shares = Shares(lambda: 8)
    assert shares.enter(MODEST, START)
    shares.leave(MODEST)
    assert entered(shares, GREEDY) == 4
    later = Monotonic(START + 2 * GENERATION)
    assert entered(shares, GREEDY, later) == 4


def test_everyone_may_have_a_few_however_many_there_are() -> None:
    shares = Shares(lambda: 4)
    assert shares.enter(MODEST, START)
    for number in range(2 * MOST_KNOWN):
        agent = Scope("acme", "emea", str(number))
        assert entered(shares, agent) == LEAST
        for _ in range(LEAST):
            shares.leave(agent)


def test_what_is_remembered_is_bounded() -> None:
    shares = Shares(lambda: 8)
    for number in range(5 * MOST_KNOWN):
        agent = Scope("acme", "emea", str(number))
        assert shares.enter(agent, START)
        shares.leave(agent)
    assert len(shares._callers) == MOST_KNOWN
    assert not shares._under_way


def test_a_share_is_given_back_whatever_became_of_the_check() -> None:
    shares = Shares(lambda: 1)
    for _ in range(LEAST + 1):
        with pytest.raises(ZeroDivisionError), shares.share(GREEDY, START):
            raise ZeroDivisionError
    assert entered(shares, GREEDY) == LEAST
    with pytest.raises(Refused) as refused, shares.share(GREEDY, START):
        pytest.fail("more than a share is under way")
    assert refused.value.reason is Reason.OVERLOADED
