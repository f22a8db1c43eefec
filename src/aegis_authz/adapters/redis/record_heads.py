"""`ports.RecordHeads` over Redis, on a connection that no decision waits for: one hash, a field for each writer."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import cast

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.core.anchor import Head
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.narrowing import integer, members, text
from aegis_authz.encoding.strict_json import parse_object

_log = logging.getLogger(__name__)
_LONGEST = {"place": 256, "writer": 64, "first": 64, "note": 512}
"""Characters: what a database holds of an anchor. Who reaches Redis can report, and all are anchored together."""
_SIZES = range(1, 10**18)  # as a checkpoint may say it
_BATCH = 500


class RedisRecordHeads:
    """The hash `aegis:record-heads`."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, max_connections=1)
        self._forget = script("forget_heads.lua")

    async def report(self, head: Head) -> None:
        """Say where a log stands. Raises StoreDown."""
        field, value = _entry(head)
        key = redis_keys.RECORD_HEADS
        async with answering():
            await self._servers.ask(key, lambda redis: redis.hset(key, field, value))

    async def heads(self) -> Sequence[Head]:
        """What each writer said last; what none of them wrote is passed over. Raises StoreDown."""
        key = redis_keys.RECORD_HEADS
        async with answering():
            fields = cast(dict[bytes, bytes], await self._servers.ask(key, lambda redis: redis.hgetall(key)))
        return [head for value in fields.values() if (head := _head(value)) is not None]

    async def forget(self, heads: Sequence[Head]) -> None:
        """Forget these; of a log that was reported anew meanwhile, that stays. Raises StoreDown."""
        for start in range(0, len(heads), _BATCH):
            await self._forget_some([part for head in heads[start : start + _BATCH] for part in _entry(head)])

    async def _forget_some(self, entries: Sequence[str]) -> None:
        key = redis_keys.RECORD_HEADS
        async with answering():
            await self._servers.ask(key, lambda redis: redis.eval(self._forget, 1, key, *entries))

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _entry(head: Head) -> tuple[str, str]:
    """The field and the value of a head."""
    content = {
        "place": head.place,
        "writer": head.writer,
        "first": head.first,
        "size": head.size,
        "note": head.note,
    }
    return f"{head.place}/{head.writer}/{head.first[:16]}", json.dumps(content, separators=(",", ":"))


def _head(value: bytes) -> Head | None:
    try:
        content = members(parse_object(value), {*_LONGEST, "size"}, "a head")
        size = integer(content["size"], "size")
        place, writer, first, note = (_text(content[name], name) for name in ("place", "writer", "first", "note"))
        if size not in _SIZES:
            raise ValueError("size is that of no log")
    except (ValueError, Refused) as fault:
        _log.warning("what Redis holds as the head of a log is none: %s", fault)
        return None
    return Head(place, writer, first, size, note)


def _text(value: Json, name: str) -> str:
    words = text(value, name)
    if not 0 < len(words) <= _LONGEST[name] or "\0" in words:
        raise ValueError(f"{name} is empty, longer than {_LONGEST[name]} characters, or has a zero in it")
    return words
