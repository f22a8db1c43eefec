"""The documents that are published now, read and checked once for each revision."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from aegis_authz.core.limit import Limit
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import covering, scope_shape
from aegis_authz.core.units import Revision
from aegis_authz.policy.compile.limits import limits_of
from aegis_authz.policy.load import Loaded
from aegis_authz.ports.control_plane import Releases


@dataclass(frozen=True, slots=True)
class Published:
    """A revision and its documents; "" and no documents before the first."""

    revision: Revision
    loaded: Loaded


NOTHING = Published(Revision(""), Loaded((), ()))
"""What is published before the first time."""


class PublishedDocuments:
    """What is asked of it blocks: reading a thousand documents takes seconds, and is done by one caller at a time."""

    def __init__(self, releases: Releases, loaded: Callable[[Sources], Loaded]) -> None:
        """`loaded` reads and checks documents (`control.policies.building`)."""
        self._releases = releases
        self._loaded = loaded
        self._latest = NOTHING
        self._reading = threading.Lock()

    def current(self) -> Published:
        """What is published now. Raises ReleasesFault, PolicyErrors where an older program published what it is."""
        with self._reading:
            revision = self._releases.current()
            if revision != self._latest.revision:
                sources = self._releases.sources(revision) if revision else None
                self._latest = NOTHING if sources is None else Published(revision, self._loaded(sources))
            return self._latest

    def limits(self, agent: Scope) -> list[Limit]:
        """The limits that calls of an agent can meet. Raises as `current` does."""
        compiled = self.current().loaded.compiled
        about = set(covering(str(agent), {scope_shape(policy.document.scope) for policy in compiled}))
        return [*limits_of([policy for policy in compiled if policy.document.scope in about]).values()]
