"""Room for requests that are kept open, as much as a test wants."""

from __future__ import annotations

from aegis_authz.core.scope import Scope
from aegis_authz.ports.data_plane import HoldPlace


class CountedPlaces:
    """`ports.HoldPlaces` with so many places; `taken` are those that were not given back."""

    def __init__(self, places: int = 8) -> None:
        self.places = places
        self.taken: set[HoldPlace] = set()

    def take(self, agent: Scope) -> HoldPlace | None:
        """A place while there is one."""
        if len(self.taken) >= self.places:
            return None
        place = _Place(self)
        self.taken.add(place)
        return place


class _Place:
    def __init__(self, places: CountedPlaces) -> None:
        self._places = places

    def free(self) -> None:
        """Give it back."""
        self._places.taken.discard(self)
