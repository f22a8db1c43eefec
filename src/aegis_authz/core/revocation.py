"""What can be revoked, at once and whatever policy says: an agent, a tenant, a key or a token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.scope import NAME, Scope
from aegis_authz.core.units import Epoch

_MAX_NAME = 256
_OWN_KEYS = (Way.AGENT_KEY, Way.MTLS)
"""Ways whose `key_id` is the agent's own, and not its issuer's."""


class RevokedKind(Enum):
    """What a revocation is about."""

    AGENT = "agent"
    TENANT = "tenant"
    KEY = "key"  # every token that is bound to it, and what was narrowed by it
    TOKEN = "token"  # noqa: S105  # a word


@dataclass(frozen=True, slots=True)
class Revoked:
    """What is revoked, within one tenant. `name` is the agent's, a key's thumbprint or a token's id; "" for a tenant.

    Raises ValueError for names that cannot be.
    """

    kind: RevokedKind
    org: str
    tenant: str
    name: str

    def __post_init__(self) -> None:
        names = (self.org, self.tenant, *([self.name] if self.kind is RevokedKind.AGENT else []))
        if any(NAME.match(name) is None for name in names):
            raise ValueError("must be org/tenant, or org/tenant/agent")
        if (self.kind is RevokedKind.TENANT) != (self.name == ""):
            raise ValueError("a key, a token and an agent have a name, a tenant has none beside its own")
        if len(self.name) > _MAX_NAME or not self.name.isprintable() or " " in self.name:
            raise ValueError("must be a short printable name without spaces")

    @staticmethod
    def agent(scope: Scope) -> Revoked:
        """An agent."""
        return Revoked(RevokedKind.AGENT, scope.org, scope.tenant, scope.agent)

    @staticmethod
    def parse(mark: str) -> Revoked:
        """Read a mark. Raises ValueError."""
        path, _, rest = mark.partition(" ")
        parts = path.split("/")
        kind, _, name = rest.partition(" ")
        if not rest:
            if len(parts) == 2:
                return Revoked(RevokedKind.TENANT, parts[0], parts[1], "")
            return Revoked.agent(Scope.parse(path))
        if len(parts) != 2 or kind not in (RevokedKind.KEY.value, RevokedKind.TOKEN.value):
            raise ValueError("not a mark of what is revoked")
        return Revoked(RevokedKind(kind), parts[0], parts[1], name)

    @property
    def mark(self) -> str:
        """One text for each, no two alike: a scope, a tenant's path, or that path, the kind and the name."""
        match self.kind:
            case RevokedKind.AGENT:
                return f"{self.org}/{self.tenant}/{self.name}"
            case RevokedKind.TENANT:
                return f"{self.org}/{self.tenant}"
            case _:
                return named_mark(self.kind, f"{self.org}/{self.tenant}", self.name)

    def __str__(self) -> str:
        if self.kind in (RevokedKind.AGENT, RevokedKind.TENANT):
            return self.mark
        return f"{self.kind.value} {self.name} of {self.org}/{self.tenant}"


@dataclass(frozen=True, slots=True)
class Revocation:
    """Something that is revoked, by whom and since when."""

    target: Revoked
    by: str
    at: Epoch


def named_mark(kind: RevokedKind, tenant_path: str, name: str) -> str:
    """The mark of a key or a token of a tenant."""
    return f"{tenant_path} {kind.value} {name}"


def is_revoked(identity: Identity, revoked: frozenset[str]) -> bool:
    """Whether one of these marks is the call's; costs nothing while there are none."""
    return bool(revoked) and not revoked.isdisjoint(marks_of(identity))


def marks_of(identity: Identity) -> tuple[str, ...]:
    """By which marks a call is refused: its agent's, its tenant's, its token's, its key's ("" for none), its actors',
    and those of the keys that narrowed its token.

    The key is the one that the token is bound to, the static one by its hash, or a certificate by its fingerprint.
    """
    tenant_path = identity.scope.tenant_path
    key_id = identity.key_id if identity.way in _OWN_KEYS else ""
    if identity.proof is not None:
        key_id = identity.proof.key_id
    key = named_mark(RevokedKind.KEY, tenant_path, key_id) if key_id else ""
    marks: tuple[str, ...] = (
        str(identity.scope),
        tenant_path,
        named_mark(RevokedKind.TOKEN, tenant_path, identity.jti),
        key,
    )
    if identity.grant is not None:
        marks += narrowing_marks(identity.grant.chain, tenant_path)
    return (*marks, *actor_marks(identity.actors)) if identity.actors else marks


def narrowing_marks(chain: Iterable[Narrowing], tenant_path: str) -> tuple[str, ...]:
    """By which marks a chain of narrowings ends: those of the keys that asked for them."""
    return tuple(named_mark(RevokedKind.KEY, tenant_path, narrowing.by) for narrowing in chain if narrowing.by)


def actor_marks(actors: Iterable[str]) -> tuple[str, ...]:
    """By which marks a chain of actors ends: those of each that is an agent, and of its tenant.

    What a foreign issuer calls an actor may be any name; nobody can revoke it here.
    """
    marks: list[str] = []
    for actor in actors:
        try:
            scope = Scope.parse(actor)
        except ValueError:
            continue
        marks += (str(scope), scope.tenant_path)
    return tuple(marks)
