"""How limits stand, read from Redis without using any of them; charge.lua says what its keys hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering
from aegis_authz.adapters.redis.servers import Question, answers, open_servers
from aegis_authz.core.charge import Account, Charge, Excess, Fixed, Member, Pace, Rolling, Slot, Sum
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Millis
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2
_BUCKETS = 60  # of charge.lua


class RedisLimitAccounts:
    """`ports.LimitAccounts` over Redis."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)

    async def accounts(self, scope: Scope, charges: Sequence[Charge], now: Epoch) -> list[Account]:
        """How the limits of these charges stand, in their order. Raises StoreDown."""
        moment = int(now * 1000)
        async with answering():
            replies = answers(await self._servers.ask_each([_question(scope, charge, moment) for charge in charges]))
        try:
            return [_account(charge, reply, moment) for charge, reply in zip(charges, replies, strict=True)]
        except ValueError as fault:
            raise StoreDown(f"Redis holds what is no account: {fault}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _question(scope: Scope, charge: Charge, now: int) -> tuple[str, Question]:
    measure = charge.measure
    window = measure.span.starts_at if isinstance(measure, Sum | Member) and isinstance(measure.span, Fixed) else ""
    key = redis_keys.limit(redis_keys.partition_of(scope), charge.limit.id, charge.holder, window)
    match measure:
        case Sum(_, _, Rolling()):
            return key, lambda redis: redis.hgetall(key)
        case Member(_, _, Fixed()):
            return key, lambda redis: redis.zcard(key)
        case Member(_, _, Rolling(length)):
            return key, lambda redis: redis.zcount(key, f"({now - length}", "+inf")
        case Slot():
            return key, lambda redis: redis.zcount(key, f"({now}", "+inf")
        case _:
            return key, lambda redis: redis.get(key)


def _account(charge: Charge, reply: Any, now: int) -> Account:
    match charge.measure:
        case Sum(_, most, Fixed(_, ends_at)):
            return _standing(charge, int(reply or 0), most, ends_at)
        case Sum(_, most, Rolling(length)):
            total, over_at = _rolled(reply, length, now)
            return _standing(charge, total, most, over_at)
        case Member(_, most, span):
            return _standing(charge, int(reply), most, span.ends_at if isinstance(span, Fixed) else 0)
        case Slot(most, _):
            return _standing(charge, int(reply), most, 0)
        case Pace(calls=calls, per=per, burst=burst):
            at, rest = map(int, (reply or b"0 0").split())
            debt = max((at - now) * calls + rest, 0)
            return _standing(charge, -(-debt // per), burst, now - (-debt // calls) if debt else 0)
        case _:
            raise AssertionError("flags have no account")


def _rolled(buckets: Mapping[bytes, bytes], length: int, now: int) -> tuple[int, int]:
    """What is used, and when the last of it is over."""
    width = -(-length // _BUCKETS)
    live = {int(number): int(amount) for number, amount in buckets.items() if (int(number) + 1) * width > now - length}
    return sum(live.values()), (max(live) + 1) * width + length if live else 0


def _standing(charge: Charge, total: int, most: int, resets_at: int) -> Account:
    return Account(charge.limit.id, total, max(most - total, 0), most, Millis(resets_at), Excess.WITHIN)
