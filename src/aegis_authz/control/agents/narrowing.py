"""Narrowing: an agent's own token exchanged for one with a grant, only ever narrower (RFC 8693, RFC 9396)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.core.grant import (
    MOST_LIFE,
    MOST_NARROWINGS,
    USUAL_LIFE,
    Grant,
    GrantRequest,
    Narrowing,
    narrowed,
    widening,
)
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import RevokedKind, named_mark
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.binding import Binding
from aegis_authz.identity.exchange import MAX_ACTORS, SUBJECT_TYPES
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.identity.mint import MIN_TTL
from aegis_authz.identity.token import AgentToken, is_agent_token, read_agent_token
from aegis_authz.ports.data_plane import Ids
from aegis_authz.wire.authorization_details import read_details
from aegis_authz.wire.grant import grant_of

if TYPE_CHECKING:
    from aegis_authz.control.agents.issuing import TokenTerms

DETAILS, BOUND_TO = "authorization_details", "dpop_jkt"
"""The parameters of RFC 9396 section 2 and RFC 9449 section 10."""

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True, slots=True)
class NarrowedSubject:
    """What an own token is exchanged for: `bound_to` is the thumbprint of the key the new token is bound to.

    `marks` are those by which neither token nor key may be revoked.
    """

    token: AgentToken
    grant: Grant
    bound_to: str
    actors: tuple[str, ...]
    life: Seconds
    marks: tuple[str, ...]

    @property
    def name(self) -> str:
        """Whose token it was, for the journal."""
        return f"aegis {self.token.scope} {self.token.jti}"


class Narrower:
    """Says what a token of this mesh may be exchanged for, by whoever has its key."""

    def __init__(self, terms: TokenTerms, keys: Callable[[Epoch], Iterable[Ed25519PublicKey]], ids: Ids) -> None:
        """`keys` are those whose tokens the mesh believes at a moment."""
        self._terms = terms
        self._keys = keys
        self._ids = ids

    def narrowed(
        self, parameters: Mapping[str, str], binding: Binding, longest: Seconds, now: Epoch
    ) -> NarrowedSubject:
        """The narrower token that is asked for. Raises NotIssued.

        The same grant again, without `authorization_details`, renews the token of the key that has it already.
        """
        if parameters["subject_token_type"] not in SUBJECT_TYPES:
            raise NotIssued(Denial.SUBJECT_TYPE)
        subject = self._own(parameters["subject_token"], now)
        if subject.bound_key != binding.key_id:
            raise NotIssued(Denial.SUBJECT_HOLDER, str(subject.scope))
        actor = self._actor(parameters, subject, now)
        bound_to = _bound_to(parameters, binding, actor)
        actors = subject.actors if actor is None else (str(actor.scope), *actor.actors, *subject.actors)
        if len(actors) > MAX_ACTORS:
            raise NotIssued(Denial.ACTORS, str(subject.scope))
        grant = self._grant(parameters, subject, binding, bound_to, now)
        life = Seconds(min(longest, grant.expires_at - now))
        if life < MIN_TTL:
            raise NotIssued(Denial.GRANT_OVER, str(subject.scope))
        return NarrowedSubject(subject, grant, bound_to, actors, life, _marks(subject, actor, bound_to))

    def _trust(self, now: Epoch) -> Trust:
        terms = self._terms
        by_id = {thumbprint(raw): raw for raw in (key.public_bytes_raw() for key in self._keys(now))}
        return Trust(terms.issuer, terms.audience, by_id, {}, terms.max_life, terms.clock_skew)

    def _own(self, text: str, now: Epoch) -> AgentToken:
        try:
            return read_agent_token(text, self._trust(now), now)
        except Refused as refusal:
            raise NotIssued(Denial.SUBJECT_OWN, f"{refusal.reason.value} {refusal.detail}".strip()) from None

    def _actor(self, parameters: Mapping[str, str], subject: AgentToken, now: Epoch) -> AgentToken | None:
        """The agent that shall act for the subject: it has a token of this mesh, bound to a key and without a grant."""
        if "actor_token" not in parameters:
            return None
        if parameters.get("actor_token_type") not in SUBJECT_TYPES:
            raise NotIssued(Denial.SUBJECT_TYPE)
        if not is_agent_token(parameters["actor_token"]):
            raise NotIssued(Denial.ACTOR, "not of this mesh")
        actor = self._own(parameters["actor_token"], now)
        if actor.scope == subject.scope or not actor.bound_key or actor.grant is not None:
            raise NotIssued(Denial.ACTOR, f"aegis {actor.scope} {actor.jti}")
        return actor

    def _grant(
        self, parameters: Mapping[str, str], subject: AgentToken, binding: Binding, bound_to: str, now: Epoch
    ) -> Grant:
        chain = () if subject.grant is None else subject.grant.chain
        if DETAILS not in parameters:
            if subject.grant is None or bound_to != subject.bound_key or "actor_token" in parameters:
                raise NotIssued(Denial.GRANT_MISSING, str(subject.scope))
            return subject.grant
        try:
            request = read_details(parameters[DETAILS], now)
        except ValueError as fault:
            raise NotIssued(Denial.GRANT_FORM, str(fault)) from None
        if len(chain) == MOST_NARROWINGS:
            raise NotIssued(Denial.GRANT_WIDER, "depth")
        return grant_of((*chain, self._narrowing(chain[-1] if chain else None, request, binding.key_id, now)))

    def _narrowing(self, parent: Narrowing | None, request: GrantRequest, by: str, now: Epoch) -> Narrowing:
        widest = Narrowing("", Epoch(0.0), Epoch(now + MOST_LIFE), MOST_NARROWINGS, None, {"*": {"*": {}}}, "")
        usual = Epoch(float(int(now + USUAL_LIFE))) if parent is None else parent.expires_at
        within = widest if parent is None else parent
        child = narrowed(within, request, self._ids.token(), by, Epoch(int(now * 1000) / 1000), usual)
        wider = widening(within, child)
        if wider:
            raise NotIssued(Denial.GRANT_WIDER, wider)
        return child


def _bound_to(parameters: Mapping[str, str], binding: Binding, actor: AgentToken | None) -> str:
    """The key that is asked for, that of the actor, or the one that asks."""
    usual = binding.key_id if actor is None else actor.bound_key
    bound_to = parameters.get(BOUND_TO, usual)
    if _THUMBPRINT.match(bound_to) is None or (actor is not None and bound_to != actor.bound_key):
        raise NotIssued(Denial.BOUND_TO)
    return bound_to


def _marks(subject: AgentToken, actor: AgentToken | None, bound_to: str) -> tuple[str, ...]:
    tenant_path = subject.scope.tenant_path
    marks = [
        named_mark(RevokedKind.TOKEN, tenant_path, subject.jti),
        named_mark(RevokedKind.KEY, tenant_path, bound_to),
    ]
    if actor is not None:
        path = actor.scope.tenant_path
        marks += [str(actor.scope), path, named_mark(RevokedKind.KEY, path, actor.bound_key)]
        marks.append(named_mark(RevokedKind.TOKEN, path, actor.jti))
    return tuple(marks)
