"""The names of all keys in Redis. Every key of a tenant carries its partition's hash tag.

| key | type | what | lives |
|---|---|---|---|
| `aegis:{pp}:epoch` | string | `ms LIFE`: when this partition's memory began, in which life of the server | for ever |
| `aegis:{pp}:jti:H` | string | a token or proof that was used; H hashes org, tenant, issuer and jti, of a proof the key, too | its whole life and a margin |
| `aegis:{pp}:revoked` | hash | agent scope, tenant, key or token -> who revoked it and when | until restored |
| `aegis:{pp}:quarantined` | sorted set | agent scopes by until when they are quarantined, ms | as long as the last of them |
| `aegis:{pp}:quarantine:H` | string | `since_ms BREAKER`: why an agent is quarantined; H hashes its scope | as long as it is |
| `aegis:{pp}:refusals:H`, `aegis:{pp}:domains:H` | hash | bucket of time -> refused calls of an agent, and those to hosts that it may not reach; H hashes scope and breaker | the span that the breaker looks at |
| `aegis:{pp}:limit:H` | by kind | what is used of a limit (charge.lua); H hashes its id, whose it is, and the window | its window or life, and a margin |
| `aegis:{pp}:flags:H` | sorted set | `session/flag` of an agent by until when it is set, ms, at most 10,000; H hashes its scope | as long as the last of them, and a margin |
| `aegis:{pp}:reserved:ID` | string | what a decision charged and may still be adjusted, by the decision's id | an hour |
| `aegis:{pp}:counted` | string | the life of the server in which nothing that was charged counts as forgotten | for ever |
| `aegis:{pp}:told` | string | the life of the server that was told all that is revoked in this partition | for ever |
| `aegis:{pp}:approval:ID` | hash | one approval | a day past its expiry |
| `aegis:{pp}:pending:H` | string | `ID expires_ms` of the approval for one call that is pending or granted; H hashes scope and digest | until refused, used or expired |
| `aegis:{pp}:waiting:H` | sorted set | ids of the approvals that wait for a person, by expiry, ms; H hashes the scope of an agent, or of a tenant | as long as the last of them |
| `aegis:{pp}:approvals` | sorted set | approval ids by expiry, ms | as long as the last of them; trimmed as approvals are opened |
| `aegis:{pp}:grant:H` | string | how many calls were let through under a grant; H hashes org, tenant and its id | until the grant ends, and a margin |
| `aegis:once:H` | string | who has shown what is taken once (assertions, proofs, tokens of others, Idempotency-Keys); H hashes kind and name | as long as it could be shown again |
| `aegis:record-heads` | hash | `place/writer/first` -> JSON: where a log of records stands; `first` begins the hash of its first record | for ever |
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from aegis_authz.core.approval import ApprovalNotFound
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, DecisionId, Digest, LimitId

_APPROVAL_ID = re.compile(r"apr_([0-9a-f]{2})[0-9a-f]{32}\Z")

ALL_PARTITIONS = tuple(f"{number:02x}" for number in range(64))
"""The hash tags that tenants are spread over, each with a replay epoch of its own."""


RECORD_HEADS = "aegis:record-heads"
"""Where the logs of records stand."""


def partition_of(scope: Scope) -> str:
    """The hash tag of a tenant's keys: two hex digits, the same on every machine."""
    return _partition(scope.tenant_path)


@lru_cache(maxsize=1024)
def _partition(tenant_path: str) -> str:
    return ALL_PARTITIONS[zlib.crc32(tenant_path.encode()) % len(ALL_PARTITIONS)]


def approval_id(scope: Scope, token: str) -> ApprovalId:
    """An approval's id: its tenant's partition, then the random `token`, so that it can be found by id alone."""
    return ApprovalId(f"apr_{partition_of(scope)}{token}")


class PartitionNames(NamedTuple):
    """A partition, and the names that every call of it meets."""

    partition: str
    epoch: str
    revoked: str
    quarantined: str


@lru_cache(maxsize=len(ALL_PARTITIONS))
def names_of(partition: str) -> PartitionNames:
    """The names that every call of a partition meets."""
    return PartitionNames(partition, epoch(partition), revoked(partition), quarantined(partition))


def epoch(partition: str) -> str:
    """When the partition's memory began."""
    return f"aegis:{{{partition}}}:epoch"


def jti(scope: Scope, names: Sequence[str]) -> str:
    """The mark of a used token or proof. Hashed, so that no caller chooses a key's length or bytes."""
    return f"aegis:{{{partition_of(scope)}}}:jti:{_hashed(scope.org, scope.tenant, *names)}"


def revoked(partition: str) -> str:
    """What is revoked in a partition."""
    return f"aegis:{{{partition}}}:revoked"


def revocations_whole(partition: str) -> str:
    """Which life of the server was told all that is revoked in a partition."""
    return f"aegis:{{{partition}}}:told"


def grant(scope: Scope, grant_id: str) -> str:
    """How many calls were let through under a grant."""
    return f"aegis:{{{partition_of(scope)}}}:grant:{_hashed(scope.org, scope.tenant, grant_id)}"


def quarantined(partition: str) -> str:
    """Who is quarantined in a partition."""
    return f"aegis:{{{partition}}}:quarantined"


def quarantine(scope: Scope) -> str:
    """Why an agent is quarantined."""
    return f"aegis:{{{partition_of(scope)}}}:quarantine:{_hashed(str(scope))}"


def refusals(scope: Scope, breaker: LimitId) -> tuple[str, str]:
    """What a breaker counts of an agent: refusals, and calls to hosts that it may not reach."""
    suffix = _hashed(str(scope), breaker)
    return f"aegis:{{{partition_of(scope)}}}:refusals:{suffix}", f"aegis:{{{partition_of(scope)}}}:domains:{suffix}"


@lru_cache(maxsize=4096)  # hashing costs more than all else of a charge, and most are of accounts seen before
def limit(partition: str, limit_id: LimitId, holder: str, window: str | int) -> str:
    """What is used of a limit: by its holder, within a window that stands still ("" for none)."""
    return f"aegis:{{{partition}}}:limit:{_hashed(limit_id, holder, str(window))}"


def flags(partition: str, holder: str) -> str:
    """The flags that are set for an agent or a tenant."""
    return f"aegis:{{{partition}}}:flags:{_hashed(holder)}"


def reserved(partition: str, decision_id: DecisionId) -> str:
    """What a decision charged and may still be adjusted. Not hashed: a worker makes the ids, and no agent chooses one."""
    return f"aegis:{{{partition}}}:reserved:{decision_id}"


def counted(partition: str) -> str:
    """In which life of the server nothing that was charged counts as forgotten."""
    return f"aegis:{{{partition}}}:counted"


def nothing(partition: str) -> str:
    """A key that is never written."""
    return f"aegis:{{{partition}}}:none"


def approval(approval_id: ApprovalId) -> str:
    """One approval. Raises ApprovalNotFound for what cannot be an approval's id."""
    match = _APPROVAL_ID.match(approval_id)
    if match is None or match.group(1) not in ALL_PARTITIONS:
        raise ApprovalNotFound(f"{approval_id[:60]!r} is not an approval id")
    return f"aegis:{{{match.group(1)}}}:approval:{approval_id}"


def approvals(partition: str) -> str:
    """The index of a partition's approvals."""
    return f"aegis:{{{partition}}}:approvals"


def waiting(scope: Scope) -> tuple[str, str]:
    """The sets of approvals that wait for a person: those of one agent, and those of its tenant."""
    prefix = f"aegis:{{{partition_of(scope)}}}:waiting:"
    return (
        f"{prefix}{_hashed(scope.org, scope.tenant, scope.agent)}",
        f"{prefix}{_hashed(scope.org, scope.tenant)}",
    )


def pending(scope: Scope, digest: Digest) -> str:
    """The pointer to the pending approval of one call."""
    return f"aegis:{{{partition_of(scope)}}}:pending:{_hashed(scope.org, scope.tenant, scope.agent, digest)}"


def _hashed(*parts: str) -> str:
    # each part with its length: no text that holds the separator can pass for two others
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def single_use(kind: str, name: str) -> str:
    """What may be shown once to the control plane; of no tenant, for whose it is may not be known yet."""
    return f"aegis:once:{_hashed(kind, name)}"
