"""An agent's copy of the mesh's authorities: taken when it enrols, renewed while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from aegis_authz.adapters.system import SystemClock
from aegis_authz.agent.authorities import AuthoritiesFault, AuthorityFiles, ask_authorities
from aegis_authz.core.address import is_private_url
from aegis_authz.local.settings import trusted_authorities

_EVERY = 600.0
"""Seconds between two looks: a rotation lasts longer, from the next authority's first day to its first signature."""


@dataclass(frozen=True, slots=True)
class AuthorityRenewal:
    """Renews the files in an agent's folder from a control plane, and tells an operator once of what is in the way."""

    folder: Path
    control: str
    report: Callable[[str], None]

    @property
    def files(self) -> AuthorityFiles:
        """Where they are."""
        return AuthorityFiles(self.folder, trusted_authorities())

    async def renew(self, session: aiohttp.ClientSession, pin: str = "") -> str:
        """Take what the control plane has now. Returns what was in the way, "" for nothing.

        `pin` is the fingerprint of an authority that it must have, "" for none.
        """
        try:
            offer = await ask_authorities(session, self.control)
            if offer is not None:
                url = urlsplit(self.control)
                assured = is_private_url(url.scheme, url.hostname or "")
                self.files.take(offer, pin, assured, SystemClock().now())
            elif pin:  # who hides it may be somebody between
                raise AuthoritiesFault(f"{self.control} says that its mesh has none, and not the authority {pin}")
        except (AuthoritiesFault, OSError) as fault:
            return f"the mesh's authorities were not taken: {fault}"
        return ""

    async def watch(self, session: aiohttp.ClientSession) -> None:
        """Renew until cancelled. What stands here stays where nothing better is to be had."""
        former = ""
        while True:
            problem = await self.renew(session)
            if problem != former:
                if problem:
                    self.report(problem)
                former = problem
            await asyncio.sleep(_EVERY)
