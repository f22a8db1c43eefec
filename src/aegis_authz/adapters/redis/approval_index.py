"""The index of all approvals over all partitions, read a piece at a time: what one tenant spoilt harms no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.approval import MAX_SHOWN_BYTES, ApprovalNotFound
from aegis_authz.core.units import ApprovalId

Place = tuple[int, str]
"""Where an approval stands in the index: its expiry in milliseconds, and its id."""

_MOST_DOCUMENT = 4 * MAX_SHOWN_BYTES  # bytes; what is longer nobody opened
_PLACE = re.compile(r"([0-9]{1,16})-([a-z0-9_]{1,100})\Z")


class Head(Enum):
    """What there is in place of an approval's state."""

    GONE = "gone"
    DAMAGED = "damaged"


def read_place(text: str) -> Place | None:
    """The place in a text, None for "". Raises ValueError for anything else."""
    match = _PLACE.match(text)
    if text and match is None:
        raise ValueError("not a place among approvals")
    return None if match is None else (int(match.group(1)), match.group(2))


def place_text(place: Place) -> str:
    """The place as text, fit for a URL."""
    return f"{place[0]}-{place[1]}"


class ApprovalIndex:
    """Reads the index. Every method may raise what the driver raises."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def before(self, place: Place | None, count: int) -> list[Place]:
        """The first `count` places behind that one, those that expire last first; from the beginning for None."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in redis_keys.ALL_PARTITIONS:
            index = redis_keys.approvals(partition)
            highest = "+inf" if place is None else f"({place[0]}"
            pipeline.zrevrangebyscore(index, highest, "-inf", start=0, num=count, withscores=True)
            if place is not None:  # of the same millisecond
                pipeline.zrangebyscore(index, place[0], place[0], withscores=True)
        places = _places(await pipeline.execute(raise_on_error=False))
        return sorted((entry for entry in places if place is None or entry < place), reverse=True)[:count]

    async def between(self, since: int, until: int, count: int) -> list[Place]:
        """The first `count` places whose expiry lies between two moments in milliseconds, the earliest first."""
        pipeline = self._redis.pipeline(transaction=False)
        for partition in redis_keys.ALL_PARTITIONS:
            pipeline.zrangebyscore(redis_keys.approvals(partition), since, until, start=0, num=count, withscores=True)
        return sorted(_places(await pipeline.execute(raise_on_error=False)))[:count]

    async def heads(self, names: Sequence[str]) -> list[bytes | Head]:
        """The state of each approval, or why there is none. Nothing else of it is read."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hget(_key(name), "state")
            pipeline.hstrlen(_key(name), "document")
        replies = await pipeline.execute(raise_on_error=False)
        return [_head(state, size) for state, size in zip(replies[::2], replies[1::2], strict=True)]

    async def rows(self, names: Sequence[str]) -> list[dict[bytes, bytes]]:
        """All that is kept of each approval."""
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(_key(name))
        return [row if isinstance(row, dict) else {} for row in await pipeline.execute(raise_on_error=False)]


def _head(state: object, size: object) -> bytes | Head:
    if isinstance(state, ResponseError) or not isinstance(size, int) or size > _MOST_DOCUMENT:
        return Head.DAMAGED
    return state if isinstance(state, bytes) else Head.GONE


def _key(name: str) -> str:
    try:
        return redis_keys.approval(ApprovalId(name))
    except ApprovalNotFound:  # something else that stands in the index
        return redis_keys.nothing(redis_keys.ALL_PARTITIONS[0])


def _places(replies: Sequence[object]) -> list[Place]:
    """The places in what several partitions answered; one whose index is spoilt has none, nor has what is no place."""
    pairs = [pair for reply in replies if isinstance(reply, list) for pair in reply]
    texts = [f"{score:.0f}-{name.decode('ascii', 'replace')}" for name, score in pairs]
    return [(int(match.group(1)), match.group(2)) for text in texts if (match := _PLACE.match(text)) is not None]
