"""The index of all approvals over all partitions, read a piece at a time: what one tenant spoilt harms no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from redis.exceptions import ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import script
from aegis_authz.adapters.redis.servers import Question, Servers
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

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._find = script("places.lua")

    async def before(self, place: Place | None, count: int) -> list[Place]:
        """The first `count` places behind that one, those that expire last first; from the beginning for None."""
        highest = "+inf" if place is None else f"({place[0]}"
        questions = []
        for index in map(redis_keys.approvals, redis_keys.ALL_PARTITIONS):
            questions.append((index, _before(index, highest, count)))
            if place is not None:  # of the same millisecond
                questions.append((index, _between(index, place[0], place[0], None)))
        places = _places(await self._servers.ask_each(questions))
        return sorted((entry for entry in places if place is None or entry < place), reverse=True)[:count]

    async def between(self, since: int, until: int, count: int) -> list[Place]:
        """The first `count` places whose expiry lies between two moments in milliseconds, the earliest first."""
        indexes = [*map(redis_keys.approvals, redis_keys.ALL_PARTITIONS)]
        if self._servers.is_one:  # by one command: it is asked for as long as nothing happens
            reply = await self._servers.ask(
                indexes[0], lambda redis: redis.eval(self._find, len(indexes), *indexes, since, until, count)
            )
            if not isinstance(reply, list) or len(reply) != len(indexes):
                raise ResponseError("places.lua has no list of all indexes")
            return sorted(_places([_pairs(places) for places in reply]))[:count]
        replies = await self._servers.ask_each([(index, _between(index, since, until, count)) for index in indexes])
        return sorted(_places(replies))[:count]

    async def heads(self, names: Sequence[str]) -> list[bytes | Head]:
        """The state of each approval, or why there is none. Nothing else of it is read."""
        questions = [(key, question) for key in map(_key, names) for question in _head_of(key)]
        replies = await self._servers.ask_each(questions)
        return [_head(state, size) for state, size in zip(replies[::2], replies[1::2], strict=True)]

    async def rows(self, names: Sequence[str]) -> list[dict[bytes, bytes]]:
        """All that is kept of each approval."""
        replies = await self._servers.ask_each([(key, _row(key)) for key in map(_key, names)])
        return [row if isinstance(row, dict) else {} for row in replies]


def _before(index: str, highest: str, count: int) -> Question:
    return lambda redis: redis.zrevrangebyscore(index, highest, "-inf", start=0, num=count, withscores=True)


def _between(index: str, since: int, until: int, count: int | None) -> Question:
    start = None if count is None else 0
    return lambda redis: redis.zrangebyscore(index, since, until, start=start, num=count, withscores=True)


def _head_of(key: str) -> tuple[Question, Question]:
    return lambda redis: redis.hget(key, "state"), lambda redis: redis.hstrlen(key, "document")


def _row(key: str) -> Question:
    return lambda redis: redis.hgetall(key)


def _head(state: object, size: object) -> bytes | Head:
    if isinstance(state, ResponseError) or not isinstance(size, int) or size > _MOST_DOCUMENT:
        return Head.DAMAGED
    return state if isinstance(state, bytes) else Head.GONE


def _key(name: str) -> str:
    try:
        return redis_keys.approval(ApprovalId(name))
    except ApprovalNotFound:  # something else that stands in the index
        return redis_keys.nothing(redis_keys.ALL_PARTITIONS[0])


def _pairs(places: Sequence[bytes]) -> list[tuple[bytes, float]]:
    """The names and scores of a script's reply, which has them one after the other."""
    return [(name, float(score)) for name, score in zip(places[::2], places[1::2], strict=True)]


def _places(replies: Sequence[object]) -> list[Place]:
    """The places in what several partitions answered; one whose index is spoilt has none, nor has what is no place."""
    pairs = [pair for reply in replies if isinstance(reply, list) for pair in reply]
    texts = [f"{score:.0f}-{name.decode('ascii', 'replace')}" for name, score in pairs]
    return [(int(match.group(1)), match.group(2)) for text in texts if (match := _PLACE.match(text)) is not None]
