"""Agent keys: whose, from where and until when."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import AgentKey, Registration, Registry
from aegis_authz.core.scope import Scope
from aegis_authz.identity.agent_key import read_agent_key

NOW = 1_800_000_000.0
BOT = Scope("acme", "emea", "bot")
OLD, NEW, OTHER = ("agk_" + letter * 43 for letter in "abc")
RANGES = ("10.1.0.0/16", "2001:db8::/32", "127.0.0.1/32")


def entry(key: str, starts_at: float = 0.0, ends_at: float | None = None) -> AgentKey:
    return AgentKey(hashlib.sha256(key.encode()).hexdigest(), RANGES, starts_at, ends_at)


def registry(*keys: AgentKey) -> Registry:
    return Registry.of({BOT: Registration(frozenset({Way.AGENT_KEY}), keys, frozenset())})


TWO = registry(entry(OLD, ends_at=NOW + 10), entry(NEW, starts_at=NOW - 10))


def read(
    key: str, source: str = "10.1.2.3", is_private: bool = True, known: Registry = TWO, now: float = NOW
) -> Identity:
    return read_agent_key(key, source, is_private, known, now, "j")


def reason_of(key: str, *arguments: object, **changes: object) -> Reason:
    with pytest.raises(Refused) as refused:
        read(key, *arguments, **changes)  # type: ignore[arg-type]  # whatever the test passes on
    assert key not in str(refused.value)
    assert key not in refused.value.detail
    return refused.value.reason


def test_two_keys_of_an_agent_are_good_at_once_while_they_change() -> None:
    for key in (OLD, NEW):
        identity = read(key)
        assert (identity.scope, identity.way, identity.jti) == (BOT, Way.AGENT_KEY, "j")
        assert identity.key_id == hashlib.sha256(key.encode()).hexdigest()
    assert reason_of(OLD, now=NOW + 10) is Reason.CREDENTIAL_EXPIRED
    assert reason_of(NEW, now=NOW - 10.001) is Reason.CREDENTIAL_NOT_YET_VALID
    assert read(NEW, now=NOW + 3600).scope == BOT


@pytest.mark.parametrize("source", ["10.1.0.0", "10.1.255.255", "2001:db8::5", "127.0.0.1"])
def test_a_key_is_taken_from_its_ranges(source: str) -> None:
    assert read(NEW, source).scope == BOT


@pytest.mark.parametrize("source", ["10.2.0.0", "192.0.2.1", "2001:db9::", "::ffff:10.1.2.3", "127.0.0.2", "", "agent"])
def test_a_key_is_taken_from_nowhere_else(source: str) -> None:
    assert reason_of(NEW, source) is Reason.CREDENTIAL_NOT_ACCEPTED


def test_a_key_in_the_clear_is_refused_before_it_is_looked_up() -> None:
    assert reason_of(NEW, is_private=False) is Reason.CREDENTIAL_NOT_ACCEPTED
    assert reason_of(OTHER, is_private=False) is Reason.CREDENTIAL_NOT_ACCEPTED


def test_a_key_that_nobody_has_is_refused() -> None:
    assert reason_of(OTHER) is Reason.CREDENTIAL_UNTRUSTED
    assert reason_of(NEW, known=registry(entry(OLD))) is Reason.CREDENTIAL_UNTRUSTED


@pytest.mark.parametrize(
    "key",
    [
        "agk_x",
        "agk_secret",
        "agk_" + "a" * 42,
        "agk_" + "a" * 44,
        NEW + "\n",
        " " + NEW,
        "agk_" + "\u00e9" * 43,
        NEW.upper(),
    ],
)
def test_what_has_not_the_form_of_256_random_bits_is_no_key(key: str) -> None:
    assert reason_of(key) is Reason.CREDENTIAL_MALFORMED


def test_each_call_spends_an_id_of_its_own() -> None:
    first, second = read(NEW), replace(read(NEW), jti="k")
    assert first.spending != second.spending
    assert (first.spending.issued_at, first.spending.life) == (NOW, 1.0)
