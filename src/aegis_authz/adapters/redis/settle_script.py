"""What the settle script takes and gives: core values and Redis' words."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approval_use import read_use
from aegis_authz.adapters.redis.charge_script import (
    PlainCharges,
    operations_of,
    plain_charges,
    read_accounts,
    read_plain_accounts,
)
from aegis_authz.approvals.document import approval_to_text
from aegis_authz.core.approval import MOST_WAITING_OF_AGENT, MOST_WAITING_OF_TENANT, ApprovalNotFound, ApprovalRequest
from aegis_authz.core.revocation import marks_of
from aegis_authz.core.settlement import NAMES_APPROVAL, Settled, Settlement, SettleOutcome
from aegis_authz.core.units import ApprovalId, Epoch, Millis, Seconds

_OUTCOMES = {outcome.value.encode(): outcome for outcome in SettleOutcome}
NEVER = Millis(0)
CLEAR = b"clear"
"""How the script begins what it answers of plain charges."""
_NO_APPROVAL, _NO_MOMENT = ApprovalId(""), Epoch(0.0)
_BARE = {
    outcome: Settled(outcome, _NO_APPROVAL, _NO_MOMENT, "", (), NEVER, None)
    for outcome in (SettleOutcome.CLEAR, SettleOutcome.REPLAYED)
}
_KEEP_APPROVALS_MS = 86_400_000
_LONGEST_MS = 10 * 366 * 86_400_000
"""A token that lives longer, or not at all, has no call beside it that Redis might then not settle."""

Arguments = tuple[str | bytes | int, ...]


class Form(Enum):
    """By which script a call is settled: together with others of its form and partition, or alone."""

    BARE = "bare"
    CHARGED = "charged"
    ALONE = "alone"


class SettleCall(NamedTuple):
    """What is asked of Redis for one call, but for the server's life. Times are milliseconds.

    `plain` is what it is charged, where all that is plain; `keys` and `operations` are those of all else that it does
    beside using its token up. A bare call does nothing else (bare_calls.py).
    """

    names: redis_keys.PartitionNames
    jti: str
    issued_at: int
    keep: int
    scope: str
    now: int
    tenant: str
    token: str
    marks: tuple[str, ...]
    plain: PlainCharges | None
    keys: tuple[str, ...]
    operations: Arguments
    form: Form


def settle_call(settlement: Settlement, jti_margin: Seconds) -> SettleCall:
    """What Redis is asked; `jti_margin` is how long past its life a used token or proof is remembered."""
    identity, spending = settlement.identity, settlement.spending
    names = redis_keys.names_of(redis_keys.partition_of(identity.scope))
    now = Millis(to_ms(settlement.now))
    keep = to_ms(spending.life + jti_margin)
    scope, tenant, token, *marks = marks_of(identity)
    plain = plain_charges(settlement, names.partition, to_ms(jti_margin))
    keys, operations = _operations(settlement, names.partition, now, jti_margin, is_plain=plain is not None)
    return SettleCall(
        names,
        redis_keys.jti(identity.scope, spending.names),
        to_ms(spending.issued_at),
        keep,
        scope,
        now,
        tenant,
        token,
        tuple([mark for mark in marks if mark]),
        plain,
        keys,
        operations,
        _form_of(keep, plain, operations),
    )


def _form_of(keep: int, plain: PlainCharges | None, operations: Arguments) -> Form:
    if not 0 < keep < _LONGEST_MS:
        return Form.ALONE
    if plain is None:
        return Form.ALONE if operations else Form.BARE
    # charged.lua says of each charge what became of its call: of a call without one it would say nothing
    return Form.CHARGED if plain.is_alone and plain.entries else Form.ALONE


def _operations(
    settlement: Settlement, partition: str, now: Millis, jti_margin: Seconds, *, is_plain: bool
) -> tuple[tuple[str, ...], Arguments]:
    """The keys and the arguments of what a call does beside using its token up and being charged what is plain."""
    charging, claims, opens, grants = settlement.charging, settlement.claims, settlement.opens, settlement.grants
    if charging is None and settlement.tally is None and claims is None and opens is None and not grants:
        return (), ()
    keys: list[str] = []
    arguments: list[str | bytes | int] = []
    is_for_over = "1" if charging is not None and charging.is_held_when_over else "0"
    for operation in () if is_plain else operations_of(settlement, partition, now, to_ms(jti_margin)):
        keys += operation.keys
        arguments.append(operation.name)
        arguments += operation.arguments
    if claims is not None:
        keys.append(_claimed_key(claims.approval_id, partition))
        arguments += ("claim", claims.digest, claims.basis, claims.approval_id, is_for_over)
    if opens is not None:
        keys += _open_keys(opens)
        arguments += ("open", *_open_arguments(opens), is_for_over)
    for use in grants:  # last: they count a call only when it is let through
        narrowing = use.narrowing
        keys.append(redis_keys.grant(settlement.identity.scope, narrowing.id))
        kept = narrowing.expires_at - settlement.now + jti_margin
        arguments += ("grant", to_ms(narrowing.issued_at), narrowing.calls or 0, max(to_ms(kept), 1), use.calls)
    return tuple(keys), tuple(arguments)


def script_arguments(call: SettleCall, life: str, skew: Seconds) -> Arguments:
    """What EVALSHA takes after the script's name for a server in that `life`, as settle.lua lays it out.

    A token's time may be `skew` ahead of Redis.
    """
    names, keys, operations = call.names, call.keys, call.operations
    if call.plain is not None:
        name, accounts, numbers = call.plain.operation()
        keys, operations = (*accounts, *keys), (name, *numbers, *operations)
    head: Arguments = (4 + len(keys), names.epoch, call.jti, names.revoked, names.quarantined, *keys)
    times: Arguments = (call.issued_at, call.keep, call.scope, call.now, life, to_ms(skew))
    return (*head, *times, call.tenant, call.token, "\n".join(call.marks), *operations)


def to_ms(seconds: float) -> int:
    """Whole milliseconds, as Redis counts."""
    return int(seconds * 1000)


def read_settled(reply: object, settlement: Settlement) -> Settled:
    """The script's answer to a settlement. Raises ValueError for anything but what it gives."""
    charging = settlement.charging
    if isinstance(reply, SettleOutcome):
        if charging is not None or reply not in _BARE:
            raise ValueError("not what becomes of a call that charges nothing")
        return _BARE[reply]
    if isinstance(reply, list) and len(reply) == 2 and reply[0] == CLEAR:
        accounts = read_plain_accounts(reply[1], charging, Millis(to_ms(settlement.now)))
        return Settled(SettleOutcome.CLEAR, _NO_APPROVAL, _NO_MOMENT, "", accounts, NEVER, None)
    if not isinstance(reply, list) or len(reply) not in (4, 6, 7) or not all(isinstance(part, bytes) for part in reply):
        raise ValueError("neither an account of plain charges, nor four, six or seven texts")
    outcome = _OUTCOMES.get(reply[0])
    if outcome is None or (outcome in NAMES_APPROVAL) != (reply[1] != b""):
        raise ValueError("not a known outcome")
    if (outcome is SettleOutcome.APPROVED) != (reply[3] != b""):
        raise ValueError("granted by nobody, or what was not granted")
    granted_by = reply[3].decode()
    approval_id, expires_at = ApprovalId(reply[1].decode()), Epoch(int(reply[2]) / 1000)
    if len(reply) == 4:
        if charging is not None:
            raise ValueError("what was charged is not told")
        return Settled(outcome, approval_id, expires_at, granted_by, (), NEVER, None)
    accounts = read_accounts(reply[4].decode(), charging)
    if (outcome is SettleOutcome.QUARANTINED) and not int(reply[5]):
        raise ValueError("quarantined until never")
    if len(reply) == 7 and outcome is not SettleOutcome.APPROVAL_USED:
        raise ValueError("a use of what was not used")
    former_use = read_use(reply[6].decode()) if len(reply) == 7 else None
    return Settled(outcome, approval_id, expires_at, granted_by, accounts, Millis(int(reply[5])), former_use)


def _claimed_key(approval_id: ApprovalId, partition: str) -> str:
    """The approval's key, or one that never exists when the id cannot be one of this tenant's."""
    try:
        key = redis_keys.approval(approval_id)
    except ApprovalNotFound:
        return redis_keys.nothing(partition)
    return key if key.startswith(f"aegis:{{{partition}}}:") else redis_keys.nothing(partition)


def _open_keys(request: ApprovalRequest) -> tuple[str, ...]:
    return (
        redis_keys.approval(request.id),
        redis_keys.pending(request.scope, request.digest),
        redis_keys.approvals(redis_keys.partition_of(request.scope)),
        *redis_keys.waiting(request.scope),
    )


def _open_arguments(request: ApprovalRequest) -> Arguments:
    text = approval_to_text(request)
    limits = (MOST_WAITING_OF_AGENT, MOST_WAITING_OF_TENANT)
    return (request.digest, request.basis, request.id, text, to_ms(request.expires_at), _KEEP_APPROVALS_MS, *limits)
