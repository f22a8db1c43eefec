"""Issuing: a caller proves who it is, and gets a short token that is bound to its key."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from aegis_authz.control.agents.exchanging import Exchanger
from aegis_authz.control.agents.narrowing import BOUND_TO, DETAILS, Narrower
from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.throttle import Throttle
from aegis_authz.core.address import network_of
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Way
from aegis_authz.core.issuance import Issuance
from aegis_authz.core.revocation import RevokedKind, actor_marks, named_mark, narrowing_marks
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.identity.assertion import ASSERTION_LIFE, Assertion, read_assertion
from aegis_authz.identity.binding import Binding, read_binding
from aegis_authz.identity.exchange import MAX_ACTORS, VerifiedSubject
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.identity.mint import MAX_TTL, MIN_TTL, mint_token
from aegis_authz.identity.proof import PROOF_LIFE
from aegis_authz.identity.signing_pool import SigningPool
from aegis_authz.identity.token import MAX_TOKEN_BYTES, is_agent_token
from aegis_authz.ports.control_plane import EnrolmentsFault, Journal, JournalFault, SingleUses
from aegis_authz.ports.data_plane import Clock, Ids, StoreDown
from aegis_authz.ports.key_rings import KeyServiceDown, SigningKey

_log = logging.getLogger(__name__)

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # a grant type
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_SOURCE_RATE, _SOURCE_BURST = 20.0, 100
_AGENT_RATE, _AGENT_BURST = 2.0, 20
_CLIENT_PARAMETERS = {"grant_type", "client_assertion_type", "client_assertion", "client_id", "scope"}
_EXCHANGE_NEEDS = {"grant_type", "subject_token", "subject_token_type"}
_EXCHANGE_PARAMETERS = (
    _CLIENT_PARAMETERS | _EXCHANGE_NEEDS | {"actor_token", "actor_token_type", "requested_token_type"}
)
_NARROWING_PARAMETERS = _EXCHANGE_NEEDS | {
    *("actor_token", "actor_token_type", "requested_token_type", "client_id", "scope"),
    *(DETAILS, BOUND_TO),
}


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What every token says, where it is asked for, and how long it lives at most."""

    issuer: str
    audience: str
    endpoint: str
    max_life: Seconds
    clock_skew: Seconds


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A form as it came in: its parameters, its DPoP headers, and the address it came from."""

    parameters: Mapping[str, str] = field(repr=False)
    proofs: Sequence[str] = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token that is bound to a key, how many seconds it lives, and its grant, the widest narrowing first."""

    token: str = field(repr=False)
    expires_in: Seconds
    grant: tuple[Narrowing, ...]


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who was proven to ask, and for what: the agent, the key it asked with, and whose token was exchanged.

    `bound_to` is the key that the token is for, "" for that of the proof; `marks` are more by which it may be revoked.
    `asker` is whose allowance of tokens this one is taken from.
    """

    agent: Scope
    key_id: str
    life: Seconds
    asker: str
    on_behalf_of: str = ""
    actors: tuple[str, ...] = ()
    subject: str = ""
    grant: tuple[Narrowing, ...] = ()
    bound_to: str = ""
    marks: tuple[str, ...] = ()


class TokenIssuer:
    """The token endpoint. Every token issued and every refusal is in the journal before it leaves."""

    def __init__(
        self,
        terms: TokenTerms,
        signing_key: Callable[[], SigningKey],
        signatures: SigningPool,
        directory: Callable[[], Directory],
        uses: SingleUses,
        journal: Journal,
        exchanger: Exchanger,
        narrower: Narrower,
        is_revoked: Callable[[Sequence[str]], bool],
        learn: Callable[[], Awaitable[bool]],
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`signing_key` and `directory` are asked for each token: what is served changes while this runs. `learn` looks
        for who enrolled elsewhere, and says whether it did; it may raise EnrolmentsFault.
        """
        self._terms = terms
        self._signing_key = signing_key
        self._signatures = signatures
        self._directory = directory
        self._uses = uses
        self._journal = journal
        self._exchanger = exchanger
        self._narrower = narrower
        self._is_revoked = is_revoked
        self._learn = learn
        self._clock = clock
        self._ids = ids
        self._sources = Throttle(_SOURCE_RATE, _SOURCE_BURST)
        self._askers = Throttle(_AGENT_RATE, _AGENT_BURST)

    async def issue(self, request: TokenRequest) -> IssuedToken:
        """The token of whoever the request proves to ask. Raises NotIssued."""
        if not self._sources.admits(network_of(request.source), self._clock.monotonic()):
            raise NotIssued(Denial.RATE)  # not in the journal: a flood must not fill the disk
        line = Issuance(
            self._clock.now(),
            request.parameters.get("grant_type", "")[:128],
            request.source,
            *("",) * 4,
            None,
            *("",) * 5,
        )
        try:
            return await self._issue(request, line)
        except NotIssued as refusal:
            await self._record(replace(line, error=refusal.denial.name.lower(), detail=refusal.detail[:256]))
            raise
        except KeyServiceDown as fault:
            _log.error("no token can be issued: %s", fault)
            await self._record(replace(line, error=Denial.SIGNING.name.lower()))
            raise NotIssued(Denial.SIGNING) from None
        except (StoreDown, EnrolmentsFault) as fault:
            _log.error("no token can be issued: %s", fault)
            await self._record(replace(line, error=Denial.UNAVAILABLE.name.lower()))
            raise NotIssued(Denial.UNAVAILABLE) from None

    async def _issue(self, request: TokenRequest, line: Issuance) -> IssuedToken:
        now = self._clock.now()
        binding = self._binding(request.proofs, now)
        claimant = await self._claimant(request, binding, now)
        self._require_home(claimant.agent)
        if not self._askers.admits(claimant.asker, self._clock.monotonic()):
            raise NotIssued(Denial.RATE, str(claimant.agent))
        if self._is_revoked(_marks(claimant, binding)):
            raise NotIssued(Denial.REVOKED, str(claimant.agent))
        agent = self._directory().agent(claimant.agent)
        if agent.ways.isdisjoint((Way.BOUND, Way.WORKLOAD)):  # the ways that have a bound token
            raise NotIssued(Denial.WAY, str(claimant.agent))
        await self._claim("proof", f"{binding.key_id} {binding.jti}", Seconds(2 * PROOF_LIFE), Denial.PROOF_REPLAYED)
        life = Seconds(min(claimant.life, agent.token_life or self._terms.max_life))
        bound_to = claimant.bound_to or binding.key_id
        jti = Jti(self._ids.token())
        mint = partial(
            mint_token,
            self._signing_key(),
            issuer=self._terms.issuer,
            audience=self._terms.audience,
            scope=claimant.agent,
            now=now,
            ttl=life,
            jti=jti,
            actors=claimant.actors,
            on_behalf_of=claimant.on_behalf_of,
            bound_to=bound_to,
            grant=claimant.grant,
        )
        token = await self._signatures.sign(mint)
        if len(token) > MAX_TOKEN_BYTES:
            raise NotIssued(Denial.GRANT_LARGE, str(claimant.agent))
        issued = replace(
            line,
            agent=str(claimant.agent),
            key_id=claimant.key_id,
            bound_to=bound_to,
            jti=jti,
            expires_at=Epoch(now + life),
            on_behalf_of=claimant.on_behalf_of,
            subject=claimant.subject,
            granted="/".join(narrowing.id for narrowing in claimant.grant),
        )
        await self._record(issued)
        return IssuedToken(token, life, claimant.grant)

    def _require_home(self, agent: Scope) -> None:
        """Raise NotIssued for an agent of another region, whose name is kept nowhere here."""
        if not self._directory().is_home(agent):
            raise NotIssued(Denial.REGION)

    def _binding(self, proofs: Sequence[str], now: Epoch) -> Binding:
        if len(proofs) != 1:
            raise NotIssued(Denial.PROOF_MISSING, f"{len(proofs)} headers")
        return read_binding(proofs[0], self._terms.endpoint, now, self._terms.clock_skew)

    async def _claimant(self, request: TokenRequest, binding: Binding, now: Epoch) -> Claimant:
        parameters = request.parameters
        if parameters.get("grant_type") == TOKEN_EXCHANGE:
            return await self._exchanged(request, binding, now)
        if parameters.get("grant_type") != CLIENT_CREDENTIALS:
            raise NotIssued(Denial.GRANT_TYPE)
        if not {"client_assertion_type", "client_assertion"} <= parameters.keys() <= _CLIENT_PARAMETERS:
            raise NotIssued(Denial.PARAMETER, "not those of client_credentials with an assertion")
        assertion = await self._assertion(parameters, now)
        return Claimant(assertion.agent, assertion.key_id, self._longest, str(assertion.agent))

    async def _exchanged(self, request: TokenRequest, binding: Binding, now: Epoch) -> Claimant:
        """Whoever the token of another issuer stands for, or whoever has one of ours and wants a narrower one."""
        parameters, source = request.parameters, request.source
        if is_agent_token(parameters.get("subject_token", "")):
            return self._narrowed(parameters, binding, now)
        if not _EXCHANGE_NEEDS <= parameters.keys() <= _EXCHANGE_PARAMETERS:
            raise NotIssued(Denial.PARAMETER, "not those of an exchange")
        kind = parameters["subject_token_type"]
        subject = await self._exchanger.subject(parameters["subject_token"], kind, source, now)
        self._require_home(subject.agent)  # before anything is written of it, and of who acts for it
        actors = subject.actors
        if "actor_token" in parameters:
            kind = parameters.get("actor_token_type", "")
            actor = await self._exchanger.subject(parameters["actor_token"], kind, source, now)
            if actor.person or actor.agent == subject.agent:
                raise NotIssued(Denial.ACTOR, actor.name)
            self._require_home(actor.agent)
            await self._spend(actor, binding)
            actors = (str(actor.agent), *actor.actors, *actors)
        if len(actors) > MAX_ACTORS:
            raise NotIssued(Denial.ACTORS, subject.name)
        key_id = ""
        if "client_assertion" in parameters:
            assertion = await self._assertion(parameters, now)
            if assertion.agent != subject.agent:
                raise NotIssued(Denial.AGENT, f"{assertion.agent} for {subject.name}")
            key_id = assertion.key_id
        elif subject.person:
            raise NotIssued(Denial.PERSON, subject.name)
        await self._spend(subject, binding)
        life = Seconds(max(MIN_TTL, min(self._longest, subject.expires_at - now)))
        return Claimant(subject.agent, key_id, life, str(subject.agent), subject.person, actors, subject.name)

    def _narrowed(self, parameters: Mapping[str, str], binding: Binding, now: Epoch) -> Claimant:
        if not _EXCHANGE_NEEDS <= parameters.keys() <= _NARROWING_PARAMETERS:
            raise NotIssued(Denial.PARAMETER, "not those of a narrower token")
        narrowed = self._narrower.narrowed(parameters, binding, self._longest, now)
        token = narrowed.token
        return Claimant(
            agent=token.scope,
            key_id="",
            life=narrowed.life,
            asker=f"key {binding.key_id}",  # proven, and no sub-agent's haste keeps its agent waiting
            on_behalf_of=token.on_behalf_of,
            actors=narrowed.actors,
            subject=narrowed.name,
            grant=narrowed.grant.chain,
            bound_to=narrowed.bound_to,
            marks=narrowed.marks,
        )

    async def _spend(self, subject: VerifiedSubject, binding: Binding) -> None:
        """Use up what may be exchanged once, or again for the same key alone."""
        holder = binding.key_id if subject.issuer.is_reusable else self._ids.token()
        life = Seconds(subject.expires_at - self._clock.now() + 2 * self._terms.clock_skew + 1)
        name = f"{subject.issuer.name} {subject.issuer.issuer} {subject.token_id}"
        if await self._uses.claim("subject", name, life, holder) != holder:
            raise NotIssued(Denial.SUBJECT_REPLAYED, subject.name)

    async def _assertion(self, parameters: Mapping[str, str], now: Epoch) -> Assertion:
        """The agent's own proof, spent by this."""
        if parameters.get("client_assertion_type") != ASSERTION_TYPE:
            raise NotIssued(Denial.ASSERTION_TYPE)
        terms = self._terms
        text = parameters["client_assertion"]

        def read() -> Assertion:
            return read_assertion(
                text, lambda agent: self._directory().agent(agent).keys, terms.endpoint, now, terms.clock_skew
            )

        try:
            assertion = read()
        except NotIssued as refusal:
            # the agent may have enrolled at another control plane a moment ago
            if refusal.denial is not Denial.ASSERTION_KEY or not await self._learn():
                raise
            assertion = read()
        self._require_home(assertion.agent)
        name = f"{assertion.agent} {assertion.jti}"
        await self._claim("assertion", name, Seconds(ASSERTION_LIFE + 2 * terms.clock_skew), Denial.ASSERTION_REPLAYED)
        return assertion

    @property
    def _longest(self) -> Seconds:
        return Seconds(min(self._terms.max_life, MAX_TTL))

    async def _claim(self, kind: str, name: str, life: Seconds, denial: Denial) -> None:
        """Spend what may be shown once. Raises NotIssued with that denial when it was."""
        claim = self._ids.token()
        if await self._uses.claim(kind, name, life, claim) != claim:
            raise NotIssued(denial)

    async def _record(self, line: Issuance) -> None:
        try:
            await self._journal.write(line)
        except JournalFault as fault:
            _log.error("no token can be issued: %s", fault)
            raise NotIssued(Denial.UNAVAILABLE) from None


def _marks(claimant: Claimant, binding: Binding) -> tuple[str, ...]:
    """By which marks nothing is issued: of the agent, its tenant, its actors, both keys, and those of the chain."""
    tenant_path = claimant.agent.tenant_path
    keys = {claimant.key_id, binding.key_id} - {""}
    agents = (str(claimant.agent), tenant_path, *actor_marks(claimant.actors))
    marks = (*agents, *claimant.marks, *narrowing_marks(claimant.grant, tenant_path))
    return (*marks, *(named_mark(RevokedKind.KEY, tenant_path, key) for key in sorted(keys)))
