"""Callbacks of access requests: signed posts to endpoints of the settings, inside where they say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis_authz.adapters.channels.http import Poster
from aegis_authz.adapters.elsewhere import ElsewhereTransport, Resolver, refuse_inside, refuse_nothing, resolve
from aegis_authz.core.callback import Callback
from aegis_authz.notices import webhook
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.notices import ChannelFault


@dataclass(frozen=True, slots=True)
class CallbackPlace:
    """The key of the signatures of an endpoint, and whether it is in a network inside."""

    secret: bytes = field(repr=False)
    is_internal: bool


class HttpCallbackSender:
    """`ports.CallbackSender`; `places` are endpoints by their URL."""

    def __init__(self, places: Mapping[str, CallbackPlace], clock: Clock, resolver: Resolver = resolve) -> None:
        self._places = places
        self._clock = clock
        self._inside = Poster(ElsewhereTransport(resolver, refusal=refuse_nothing))
        self._outside = Poster(ElsewhereTransport(resolver, refusal=refuse_inside))

    async def send(self, callback: Callback, content: bytes) -> None:
        """Post it. Two requests of one callback have one `x-aegis-notice`."""
        place = self._places.get(callback.endpoint)
        if place is None:
            raise ChannelFault("the settings have no such endpoint", is_final=True)
        poster = self._inside if place.is_internal else self._outside
        await poster.post(
            callback.endpoint, content, webhook.signed(place.secret, content, callback.id, self._clock.now())
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._inside.close()
        await self._outside.close()
