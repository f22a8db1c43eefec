"""Registered agents and trusted issuers: what several documents say together, and the data a bundle holds of them.

`aegis.identity` in a bundle is all of it, so that the revision names it; `aegis.snapshot.agents` is what the data plane
reads (`policy.bundle.agent_data`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aegis_authz.core.identity import Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.registration import AgentKey, Registration
from aegis_authz.core.scope import Scope
from aegis_authz.core.trusted_issuer import KeySource, SubjectRule, TrustedIssuer
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.policy.bundle.agent_data import agents_to_data
from aegis_authz.policy.language.identities import (
    AgentEntry,
    AgentKeyEntry,
    AgentsDocument,
    SubjectEntry,
    TrustDocument,
)
from aegis_authz.policy.source.problems import Problem, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument


@dataclass(frozen=True, slots=True)
class LoadedAgents:
    """A document of agents, and where it was written."""

    document: AgentsDocument
    source: SourceDocument


@dataclass(frozen=True, slots=True)
class LoadedTrust:
    """A document of a trusted issuer, and where it was written."""

    document: TrustDocument
    source: SourceDocument


@dataclass(frozen=True, slots=True)
class Identities:
    """Identity as code: everything that is registered and trusted."""

    agents: tuple[LoadedAgents, ...] = ()
    trusts: tuple[LoadedTrust, ...] = ()

    def entries(self) -> Iterator[tuple[Scope, AgentEntry]]:
        """Each registered agent."""
        for loaded in self.agents:
            for scope, entry in loaded.document.agents.items():
                yield Scope.parse(scope), entry

    def registrations(self) -> dict[Scope, Registration]:
        """What the data plane is told of each."""
        return {scope: registration_of(entry) for scope, entry in self.entries()}

    def issuers(self) -> tuple[TrustedIssuer, ...]:
        """Each trusted issuer."""
        return tuple(_trusted(loaded.document) for loaded in self.trusts)


NO_IDENTITIES = Identities()


def registration_of(entry: AgentEntry) -> Registration:
    """The core value of an entry."""
    return Registration(
        ways=frozenset(map(Way, entry.ways)),
        agent_keys=tuple(_agent_key(key) for key in entry.agent_keys or ()),
        spiffe_ids=frozenset(entry.spiffe or ()),
    )


def _trusted(document: TrustDocument) -> TrustedIssuer:
    return TrustedIssuer(
        name=document.trust,
        issuer=document.issuer,
        audience=document.audience,
        by_trust_domain=document.kind == "spiffe",
        algorithms=document.algorithms,
        key_source=_key_source(document),
        jwks=tuple(
            {name: value for name, value in key.items() if isinstance(value, str)} for key in document.keys or ()
        ),
        max_life=Seconds(float(document.max_life)),
        is_reusable=document.reuse == "same_key",
        rules=tuple(SubjectRule(entry.claims, entry.agent, entry.on_behalf_of or "") for entry in document.subjects),
        review=document.token_review or "",
    )


def _key_source(document: TrustDocument) -> KeySource | None:
    if document.discovery:
        return KeySource(document.issuer, is_issuer=True)
    return None if document.jwks is None else KeySource(document.jwks, is_issuer=False)


def snapshot_agents(identities: Identities) -> dict[str, Json]:
    """The agents as the data plane reads them."""
    return agents_to_data(identities.registrations())


def identity_data(identities: Identities) -> dict[str, Json]:
    """Everything the documents say that decides anything, in one order: what the revision names."""
    agents: dict[str, Json] = {
        str(scope): {"keys": [thumbprint(raw) for raw in entry.keys or ()], "token_life": entry.token_life}
        for scope, entry in sorted(identities.entries(), key=lambda pair: str(pair[0]))
    }
    trusts = sorted((loaded.document for loaded in identities.trusts), key=lambda document: document.trust)
    return {"agents": agents, "trust": [_trust_data(document) for document in trusts]}


def identity_problems(identities: Identities) -> list[Problem]:
    """What several documents, each right by itself, must not say together."""
    agents, trusts = identities.agents, identities.trusts
    return [
        *_repeated(agents, "agent {} is registered", lambda scope, _: [(scope, ())]),
        *_repeated(agents, "key {} is an agent's", _key_places),
        *_repeated(agents, "secret {} is an agent's", _secret_places),
        *_repeated(agents, "SPIFFE id {} is an agent's", _spiffe_places),
        *_namesakes(trusts, "trust", lambda document: document.trust),
        *_namesakes(trusts, "issuer", lambda document: f"{document.issuer} {document.audience}"),
    ]


Places = Iterable[tuple[str, Location]]


def _key_places(_: str, entry: AgentEntry) -> Places:
    return ((thumbprint(raw), ("keys", position)) for position, raw in enumerate(entry.keys or ()))


def _secret_places(_: str, entry: AgentEntry) -> Places:
    return ((key.hash, ("agent_keys", position, "hash")) for position, key in enumerate(entry.agent_keys or ()))


def _spiffe_places(_: str, entry: AgentEntry) -> Places:
    return ((spiffe_id, ("spiffe", position)) for position, spiffe_id in enumerate(entry.spiffe or ()))


def _repeated(
    agents: Sequence[LoadedAgents], sentence: str, places: Callable[[str, AgentEntry], Places]
) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for loaded in agents:
        for scope, entry in loaded.document.agents.items():
            for value, part in places(scope, entry):
                here: Location = ("agents", scope, *part)
                where = f"{loaded.source.path}:{loaded.source.problem(here, '').line}"
                earlier = first.setdefault(value, where)
                if earlier is not where:
                    message = f"{sentence.format(quoted(value))} already ({earlier})"
                    yield loaded.source.problem(here, message, on_key=not part)


def _namesakes(trusts: Sequence[LoadedTrust], member: str, name: Callable[[TrustDocument], str]) -> Iterator[Problem]:
    first: dict[str, SourceDocument] = {}
    for loaded in trusts:
        earlier = first.setdefault(name(loaded.document), loaded.source)
        if earlier is not loaded.source:
            where = f"{earlier.path}:{earlier.problem((member,), '').line}"
            message = (
                f"another trust document has this {'name' if member == 'trust' else 'issuer and audience'} ({where})"
            )
            yield loaded.source.problem((member,), message)


def _agent_key(entry: AgentKeyEntry) -> AgentKey:
    starts_at = _midnight(entry.start) if entry.start is not None else Epoch(0.0)
    ends_at = None if entry.until is None else _midnight(entry.until, later_days=1)
    return AgentKey(entry.hash.removeprefix("sha256:"), entry.ranges, starts_at, ends_at)


def _midnight(day: str, later_days: int = 0) -> Epoch:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=later_days)
    return Epoch(moment.timestamp())


def _trust_data(document: TrustDocument) -> Json:
    return {
        "name": document.trust,
        "kind": document.kind,
        "issuer": document.issuer,
        "audience": document.audience,
        "jwks": document.jwks,
        "discovery": document.discovery is True,
        "token_review": document.token_review,
        "keys": None if document.keys is None else [_foreign_key_data(key) for key in document.keys],
        "algorithms": [*document.algorithms],
        "max_life": document.max_life,
        "reuse": document.reuse,
        "subjects": [_subject_data(subject) for subject in document.subjects],
    }


def _subject_data(subject: SubjectEntry) -> Json:
    return {"claims": dict(subject.claims), "agent": subject.agent, "on_behalf_of": subject.on_behalf_of}


def _foreign_key_data(key: Mapping[str, object]) -> Json:
    return {name: value for name, value in sorted(key.items()) if isinstance(value, str)}
