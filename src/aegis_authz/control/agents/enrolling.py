"""Enrolling agents: a code is given out, and whoever shows it first with a key of its own is the agent."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from aegis_authz.control.commits import look_at_commits
from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.throttle import Throttle
from aegis_authz.core.address import network_of
from aegis_authz.core.enrolment import EnrolledKey, Invitation
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import ChangeKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.encoding.jwk import raw_from_jwk, thumbprint
from aegis_authz.identity.enrolment import read_enrolment_proof
from aegis_authz.ports.commits import Commits
from aegis_authz.ports.control_plane import Enrolments, EnrolmentsFault
from aegis_authz.ports.data_plane import Clock, Ids

_log = logging.getLogger(__name__)

MAX_INVITATION = Seconds(86_400.0)
_RATE, _BURST = 0.5, 10
_LOOK_PAUSE = 0.25
"""Seconds between two looks: strangers, who make us look, must not keep the database busy."""


class NotEnrolled(Exception):
    """The agent is not enrolled. The message is fit to show; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as it is shown once: the code is kept nowhere."""

    code: str = field(repr=False)
    expires_at: Epoch


class Enroller:
    """Gives out codes and takes keys for them."""

    def __init__(
        self,
        enrolments: Enrolments,
        directory: Callable[[], Directory],
        publisher: Publisher,
        endpoint: str,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`endpoint` is the URL that codes are shown at; `directory` all who are registered by now."""
        self._enrolments = enrolments
        self._directory = directory
        self._publisher = publisher
        self._endpoint = endpoint
        self._clock = clock
        self._ids = ids
        self._sources = Throttle(_RATE, _BURST)
        self._change = asyncio.Lock()
        self._next_look = Monotonic(0.0)

    async def invite(self, agent: Scope, life: Seconds, by: str, note: str) -> Invited:
        """A new code for the agent. Raises NotEnrolled for one of another region, EnrolmentsFault, ReleasesFault."""
        self._require_home(agent)
        code = self._ids.token() + self._ids.token()
        now = self._clock.now()
        invitation = Invitation(_digest(code), agent, by, Epoch(now + min(life, MAX_INVITATION)))
        # Logged first: a code nobody knows of would be worse than a line without its code.
        await self._publisher.note(ChangeKind.INVITED, agent, by, note)
        async with self._change:
            await asyncio.to_thread(self._enrolments.invite, invitation, now)
        return Invited(code, invitation.expires_at)

    async def enrol(self, code: str, jwk: Mapping[str, Json], proof: str, source: str) -> Scope:
        """The agent that the code was for; from now on its key is the one proven here.

        Raises NotEnrolled, EnrolmentsFault, ReleasesFault.
        """
        if not self._sources.admits(network_of(source), self._clock.monotonic()):
            raise NotEnrolled(429, "too many attempts; wait a moment")
        now = self._clock.now()
        try:
            raw_key = raw_from_jwk(jwk)
            read_enrolment_proof(proof, code, raw_key, self._endpoint, now)
        except ValueError as fault:
            raise NotEnrolled(400, str(fault)) from None
        async with self._change:
            await asyncio.to_thread(self._enrolments.refresh)  # the code may be another control plane's
            invitation = self._enrolments.current.invited_by(_digest(code), now)
            if invitation is None:
                _log.warning("a code that is unknown, used or over was shown from %s", source)
                raise NotEnrolled(403, "the code is unknown, used or over; ask for another one")
            self._require_home(invitation.agent)  # its tenant may have moved since
            key_id = thumbprint(raw_key)
            if any(key_id in agent.keys for agent in self._directory().agents.values()):
                raise NotEnrolled(409, "the key is an agent's already; make another one")
            message = f"key {key_id}, from {source}"
            await self._publisher.note(ChangeKind.ENROLLED, invitation.agent, invitation.by, message)
            key = EnrolledKey(invitation.agent, raw_key, now, invitation.by)
            if not await asyncio.shield(asyncio.to_thread(self._enrolments.enrol, invitation, key)):
                raise NotEnrolled(409, "the code or the key was used meanwhile; ask for another code")
        _log.info("%s is enrolled with key %s", invitation.agent, key_id)
        return invitation.agent

    def _require_home(self, agent: Scope) -> None:
        """Raise NotEnrolled for an agent of another region, of which nothing more is kept here."""
        if not self._directory().is_home(agent):
            raise NotEnrolled(409, "the tenant of the agent is at home in another region: invite it there")

    async def watch(self, commits: Commits) -> None:
        """Know what other control planes enrolled, within a second; until cancelled."""
        trouble = partial(_log.warning, "whether other control planes have enrolled agents cannot be seen: %s")
        await look_at_commits(commits, self._look, (EnrolmentsFault,), trouble)

    async def learn(self) -> bool:
        """Look for agents that enrolled at other control planes, unless that was done just now; whether it was looked.

        Raises EnrolmentsFault.
        """
        if self._clock.monotonic() < self._next_look:
            return False
        await self._look()
        return True

    async def _look(self) -> None:
        self._next_look = Monotonic(self._clock.monotonic() + _LOOK_PAUSE)
        await asyncio.to_thread(self._enrolments.refresh)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
