"""Bound tokens are remembered while they are good, and no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Trust
from aegis_authz.identity.proof import token_hash
from aegis_authz.identity.token import AgentToken
from aegis_authz.identity.token_memory import TokenMemory
from tests.support.proven_calls import NOW, STRANGER, TOKEN, TRUST, bound_token

OTHER_KEYS = replace(TRUST, token_keys={"kid-1": STRANGER.public_key().public_bytes_raw()})


def read(memory: TokenMemory, token: str = TOKEN, trust: Trust = TRUST, now: float = NOW) -> AgentToken:
    return memory.read(token, token_hash(token), trust, now)


def test_a_bound_token_is_verified_once() -> None:
    memory = TokenMemory(2)
    assert read(memory) is read(memory)


def test_the_same_trust_in_a_newer_revision_keeps_what_was_verified() -> None:
    memory = TokenMemory(2)
    assert read(memory) is read(memory, trust=replace(TRUST))


def test_other_keys_forget_all() -> None:
    memory = TokenMemory(2)
    read(memory)
    with pytest.raises(Refused) as refused:
        read(memory, trust=OTHER_KEYS)
    assert refused.value.reason is Reason.CREDENTIAL_INVALID


def test_a_shorter_life_holds_for_tokens_that_were_verified_before() -> None:
    memory = TokenMemory(2)
    read(memory)
    with pytest.raises(Refused):
        read(memory, trust=replace(TRUST, max_token_life=30))


@pytest.mark.parametrize(
    ("now", "reason"),
    [(NOW + 100, Reason.CREDENTIAL_EXPIRED), (NOW - 106, Reason.CREDENTIAL_NOT_YET_VALID)],
)
def test_a_token_that_was_verified_still_ends(now: float, reason: Reason) -> None:
    memory = TokenMemory(2)
    read(memory)
    with pytest.raises(Refused) as refused:
        read(memory, now=now)
    assert refused.value.reason is reason


def test_a_token_that_is_good_once_is_not_remembered() -> None:
    memory = TokenMemory(2)
    token = bound_token(cnf=None)
    assert read(memory, token) is not read(memory, token)


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    memory = TokenMemory(2)
    tokens = [bound_token(jti=f"t-{number}") for number in range(3)]
    first, second, third = (read(memory, token) for token in tokens)
    assert read(memory, tokens[1]) is second
    assert read(memory, tokens[2]) is third
    assert read(memory, tokens[0]) is not first
