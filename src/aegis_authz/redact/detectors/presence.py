"""Which searches can find anything in a text at all: one pass for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import re2  # type: ignore[import-untyped]

from aegis_authz.redact.text.searched import Search

_MEMORY = 64 << 20


class NamedSearch(NamedTuple):
    """A search and the detector it belongs to."""

    name: str
    search: Search


class Presence:
    """Looks for the heads of searches, all at once.

    Raises RuntimeError when the expressions take more memory than they may: then nothing would be found, and nothing
    would say so.
    """

    def __init__(self, searches: Sequence[NamedSearch]) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        self.apart = {search.name for search in searches} - {
            search.name for search in searches if not search.search.is_apart
        }
        self.is_local = all(search.search.is_local for search in searches)
        self._searches: list[NamedSearch] = []
        for search in searches:
            for head in search.search.heads:
                self._set.Add(head.encode())
                self._searches.append(search)
        self._set.Compile()
        for search in searches:
            if search.search.example and search not in self.searches_in(search.search.example):
                raise RuntimeError(f"a search of the detector {search.name} does not find its own example")

    def searches_in(self, text: bytes) -> frozenset[NamedSearch]:
        """The searches that are worth a pass of their own."""
        return frozenset(self._searches[place] for place in self._set.Match(text) or ())
