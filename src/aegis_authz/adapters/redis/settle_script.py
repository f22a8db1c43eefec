"""What the settle script takes and gives: core values and Redis' words."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approval_use import read_use
from aegis_authz.adapters.redis.charge_script import operations_of, read_accounts, read_plain_accounts
from aegis_authz.approvals.document import approval_to_text
from aegis_authz.core.approval import MOST_WAITING_OF_AGENT, MOST_WAITING_OF_TENANT, ApprovalNotFound, ApprovalRequest
from aegis_authz.core.revocation import marks_of
from aegis_authz.core.settlement import NAMES_APPROVAL, Settled, Settlement, SettleOutcome
from aegis_authz.core.units import ApprovalId, Epoch, Millis, Seconds

_OUTCOMES = {outcome.value.encode(): outcome for outcome in SettleOutcome}
NEVER = Millis(0)
_CLEAR = b"clear"
_NO_APPROVAL, _NO_MOMENT = ApprovalId(""), Epoch(0.0)
_KEEP_APPROVALS_MS = 86_400_000
_ARGUMENTS_OF_THE_CALL = 4

Arguments = tuple[str | bytes | int, ...]


def settle_arguments(settlement: Settlement, jti_margin: Seconds) -> Arguments:
    """What EVALSHA takes after the script's name, but for the server's life; the layout is that of settle.lua.

    `jti_margin` is how long past its life a used token or proof is remembered.
    """
    identity, spending = settlement.identity, settlement.spending
    partition = redis_keys.partition_of(identity.scope)
    now = Millis(to_ms(settlement.now))
    keys = [
        redis_keys.epoch(partition),
        redis_keys.jti(identity.scope, spending.names),
        redis_keys.revoked(partition),
        redis_keys.quarantined(partition),
    ]
    _, tenant, token, *marks = marks_of(identity)
    arguments: list[str | bytes | int] = [
        to_ms(spending.issued_at),
        to_ms(spending.life + jti_margin),
        str(identity.scope),
        now,
        tenant,
        token,
        "\n".join(marks),
    ]
    is_for_over = "1" if settlement.charging is not None and settlement.charging.is_held_when_over else "0"
    for operation in operations_of(settlement, partition, now, to_ms(jti_margin)):
        keys += operation.keys
        arguments.append(operation.name)
        arguments += operation.arguments
    if settlement.claims is not None:
        claims = settlement.claims
        keys.append(_claimed_key(claims.approval_id, partition))
        arguments += ("claim", claims.digest, claims.basis, claims.approval_id, is_for_over)
    if settlement.opens is not None:
        keys += _open_keys(settlement.opens)
        arguments += ("open", *_open_arguments(settlement.opens), is_for_over)
    for use in settlement.grants:  # last: they count a call only when it is let through
        narrowing = use.narrowing
        keys.append(redis_keys.grant(identity.scope, narrowing.id))
        kept = narrowing.expires_at - settlement.now + jti_margin
        arguments += ("grant", to_ms(narrowing.issued_at), narrowing.calls or 0, max(to_ms(kept), 1), use.calls)
    return (len(keys), *keys, *arguments)


def of_life(arguments: Arguments, life: str, skew: Seconds) -> Arguments:
    """The arguments for a server in that `life`, where a token's time may be `skew` ahead of Redis."""
    (keys,) = (count for count in arguments[:1] if isinstance(count, int))
    at = 1 + keys + _ARGUMENTS_OF_THE_CALL
    return (*arguments[:at], life, to_ms(skew), *arguments[at:])


def to_ms(seconds: float) -> int:
    """Whole milliseconds, as Redis counts."""
    return int(seconds * 1000)


def read_settled(reply: object, settlement: Settlement) -> Settled:
    """The script's answer to a settlement. Raises ValueError for anything but what it gives."""
    charging = settlement.charging
    if isinstance(reply, list) and len(reply) == 2 and reply[0] == _CLEAR:
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
