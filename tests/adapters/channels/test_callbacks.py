"""Callbacks over HTTP: signed, and to no network inside that nobody has allowed."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from aiohttp import web

from aegis_authz.adapters.channels.callbacks import CallbackPlace, HttpCallbackSender
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.ports.notices import ChannelFault
from tests.support.local_servers import serving

KEY = b"k" * 32


def callback(endpoint: str) -> Callback:
    return Callback("apr_1", endpoint, "pep", None, frozenset({"denied"}), CallbackState.DUE, 1, "")


async def test_what_is_posted_is_signed_over_its_time_and_body() -> None:
    requests: list[tuple[dict[str, str], bytes]] = []

    async def takes(request: web.Request) -> web.StreamResponse:
        requests.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=204)

    async with serving(takes) as base:
        url = f"{base}/callbacks"
        sender = HttpCallbackSender({url: CallbackPlace(KEY, is_internal=True)}, SystemClock())
        await sender.send(callback(url), b'{"task":{}}')
        await sender.send(callback(url), b'{"task":{}}')
        await sender.close()
    (headers, body), (again, _) = requests
    signed = b"v1:%s:%s" % (headers["x-aegis-timestamp"].encode(), body)
    assert headers["x-aegis-signature"] == f"v1={hmac.new(KEY, signed, sha256).hexdigest()}"
    assert (headers["content-type"], body) == ("application/json", b'{"task":{}}')
    assert headers["x-aegis-notice"] == again["x-aegis-notice"] == callback(url).id


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "fd00::1", "::ffff:10.0.0.8"])
async def test_a_name_that_leads_inside_is_not_posted_to_unless_that_is_allowed(address: str) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return [address]

    url = "https://agents.example.com/callbacks"
    sender = HttpCallbackSender({url: CallbackPlace(KEY, is_internal=False)}, SystemClock(), resolver)
    with pytest.raises(ChannelFault, match="cannot be reached") as fault:
        await sender.send(callback(url), b"{}")
    await sender.close()
    assert not fault.value.is_final


async def test_an_endpoint_that_the_settings_do_not_name_is_not_posted_to() -> None:
    sender = HttpCallbackSender({}, SystemClock())
    with pytest.raises(ChannelFault, match="no such endpoint") as fault:
        await sender.send(callback("https://agents.example.com/callbacks"), b"{}")
    await sender.close()
    assert fault.value.is_final


async def test_a_redirect_is_not_followed() -> None:
    async def redirects(request: web.Request) -> web.StreamResponse:
        assert request.path == "/callbacks"
        return web.Response(status=307, headers={"location": "/elsewhere"})

    async with serving(redirects) as base:
        url = f"{base}/callbacks"
        sender = HttpCallbackSender({url: CallbackPlace(KEY, is_internal=True)}, SystemClock())
        with pytest.raises(ChannelFault, match="HTTP 307") as fault:
            await sender.send(callback(url), b"{}")
        await sender.close()
    assert fault.value.is_final
