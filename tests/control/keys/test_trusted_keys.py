"""Keys of trusted issuers through time: fetched when new or old, remembered through outages, asked for sparingly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from aegis_authz.control.keys.trusted_keys import TrustedKeys
from aegis_authz.core.trusted_issuer import KeySource, TrustedIssuer
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.encoding.verifying_key import VerifyingKey, verifying_key
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.ports.control_plane import KeysUnavailable
from tests.support.token_requests import private_key, public_jwk

ISSUER = TrustedIssuer(
    "ci",
    "https://ci.example",
    "aegis",
    False,
    ("EdDSA",),
    KeySource("https://ci.example/keys", is_issuer=False),
    (),
    Seconds(60),
    False,
    (),
    "",
)


def key(kid: str) -> VerifyingKey:
    return verifying_key({**public_jwk(private_key(kid.encode())), "kid": kid})


@dataclass
class Time:
    at: float = 1000.0

    def now(self) -> Epoch:
        return Epoch(self.at)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.at)


@dataclass
class Sets:
    keys: tuple[VerifyingKey, ...] = ()
    fetches: list[str] = field(default_factory=list)
    keys_url: str = "https://ci.example/keys/2"

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        self.fetches.append(url)
        if not self.keys:
            raise KeysUnavailable(url)
        await asyncio.sleep(0)
        return self.keys

    async def discover(self, issuer: str) -> str:
        if not self.keys_url:
            raise KeysUnavailable(f"{issuer} says nothing")
        return self.keys_url


@dataclass
class World:
    time: Time = field(default_factory=Time)
    sets: Sets = field(default_factory=lambda: Sets((key("a"),)))
    issuers: list[TrustedIssuer] = field(default_factory=lambda: [ISSUER])

    def __post_init__(self) -> None:
        self.keys = TrustedKeys(self.sets, lambda: self.issuers, self.time)

    async def kids(self, kid: str) -> list[str]:
        return [key.kid for key in await self.keys.of(ISSUER, kid)]


async def test_keys_are_fetched_once_and_again_when_they_are_old() -> None:
    world = World()
    await world.keys.refresh()
    await world.keys.refresh()
    assert await world.kids("a") == ["a"]
    assert len(world.sets.fetches) == 1
    world.time.at += 301
    await world.keys.refresh()
    assert len(world.sets.fetches) == 2


async def test_a_new_key_is_found_when_a_token_names_it_and_sparingly() -> None:
    world = World()
    await world.keys.refresh()
    world.sets.keys = (key("a"), key("b"))
    world.time.at += 31
    assert await world.kids("b") == ["a", "b"]
    for _ in range(100):
        assert await world.kids("nowhere") == ["a", "b"]
    assert len(world.sets.fetches) == 2


async def test_of_many_who_miss_a_key_at_once_one_asks() -> None:
    world = World()
    await asyncio.gather(*(world.kids("a") for _ in range(50)))
    assert len(world.sets.fetches) == 1


async def test_known_keys_go_on_for_a_day_while_their_issuer_is_away() -> None:
    world = World()
    await world.keys.refresh()
    world.sets.keys = ()
    world.time.at += 86_400
    await world.keys.refresh()
    assert await world.kids("a") == ["a"]
    world.time.at += 31
    with pytest.raises(NotIssued) as caught:
        await world.kids("b")
    assert caught.value.denial is Denial.SUBJECT_KEYS_DOWN
    with pytest.raises(NotIssued):
        await world.kids("a")


async def test_a_key_that_was_withdrawn_is_gone_with_the_next_fetch() -> None:
    world = World()
    await world.keys.refresh()
    world.sets.keys = (key("b"),)
    world.time.at += 301
    await world.keys.refresh()
    assert await world.kids("b") == ["b"]


async def test_an_issuer_that_nobody_trusts_any_more_is_forgotten() -> None:
    world = World()
    await world.keys.refresh()
    world.issuers.clear()
    await world.keys.refresh()
    world.sets.keys = ()
    with pytest.raises(NotIssued):
        await world.kids("a")


async def test_keys_that_are_written_down_are_fetched_from_nobody() -> None:
    world = World()
    written = replace(ISSUER, key_source=None, jwks=({**public_jwk(private_key(b"k")), "kid": "w"},))
    assert [key.kid for key in await world.keys.of(written, "w")] == ["w"]
    assert world.sets.fetches == []


async def test_an_issuer_is_asked_anew_where_its_keys_are_each_time_they_are_fetched() -> None:
    world = World(issuers=[replace(ISSUER, key_source=KeySource("https://ci.example", is_issuer=True))])
    await world.keys.refresh()
    world.sets.keys_url = "https://ci.example/keys/3"
    world.time.at += 301
    await world.keys.refresh()
    assert world.sets.fetches == ["https://ci.example/keys/2", "https://ci.example/keys/3"]


async def test_what_stands_in_the_way_of_keys_is_in_the_journals_detail() -> None:
    world = World()
    world.sets.keys_url = ""
    source = KeySource("https://ci.example", is_issuer=True)
    with pytest.raises(NotIssued) as caught:
        await world.keys.of(replace(ISSUER, key_source=source), "a")
    assert (caught.value.denial, caught.value.detail) == (
        Denial.SUBJECT_KEYS_DOWN,
        "ci: https://ci.example says nothing",
    )
