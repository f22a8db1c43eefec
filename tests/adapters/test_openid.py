"""Where an OpenID provider is asked: many who want to know at once are one question. The rest: test_federation.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from aegis_authz.adapters.openid import HttpOpenIdProvider, ProviderClient
from aegis_authz.adapters.system import SystemClock
from aegis_authz.ports.openid import ProviderUnavailable
from tests.support.openid import CLIENT, SECRET, Provider, provider


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
async def openid(idp: Provider) -> AsyncIterator[HttpOpenIdProvider]:
    adapter = HttpOpenIdProvider(ProviderClient(idp.issuer, CLIENT, "basic", SECRET), SystemClock())
    yield adapter
    await adapter.close()


async def test_many_who_sign_in_at_once_ask_it_once(openid: HttpOpenIdProvider, idp: Provider) -> None:
    everybody = await asyncio.gather(*(openid.places() for _ in range(50)))
    assert {places.token for places in everybody} == {f"{idp.issuer}/token"}
    assert len(idp.asked) == 1


async def test_one_that_is_down_is_asked_once_for_all_who_wait_and_again_for_whoever_comes_then(
    openid: HttpOpenIdProvider, idp: Provider
) -> None:
    idp.is_down = True
    faults = await asyncio.gather(*(openid.places() for _ in range(50)), return_exceptions=True)
    assert {type(fault) for fault in faults} == {ProviderUnavailable}
    assert len(idp.asked) == 1
    idp.is_down = False
    assert (await openid.places()).token == f"{idp.issuer}/token"


async def test_who_gives_up_takes_the_answer_from_nobody(openid: HttpOpenIdProvider, idp: Provider) -> None:
    first, second = (asyncio.create_task(openid.places()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).token == f"{idp.issuer}/token"
    assert len(idp.asked) == 1
