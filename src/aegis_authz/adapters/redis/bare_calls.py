"""Calls that do nothing but use their tokens up: those of a partition that go together are settled by one script.

`bare.lua` says of them that they are clear or replayed, and all else is a doubt, of which it has written nothing: each
of the calls is then settled by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.adapters.redis.settle_script import Arguments, SettleCall
from aegis_authz.core.settlement import SettleOutcome

DOUBT = "doubt"
"""In place of an outcome: the call is to be settled by settle.lua."""


def bare_arguments(calls: Sequence[SettleCall], life: str) -> Arguments:
    """What EVALSHA takes after the script's name, as bare.lua lays it out, for a server in that `life`.

    The calls are bare, at least one, and of one partition.
    """
    names = calls[0].names
    keys = (names.epoch, names.revoked, names.quarantined, *[call.jti for call in calls])
    return (len(keys), *keys, *obstacle_arguments(calls, life))


def obstacle_arguments(calls: Sequence[SettleCall], life: str) -> Sequence[str | bytes | int]:
    """The arguments that bare.lua and charged.lua begin with: what may be in the way of the calls, and their tokens."""
    scopes = "\n".join({call.scope: None for call in calls})
    shared = "\n".join({mark: None for call in calls for mark in (call.tenant, *call.marks)})
    oldest = min([call.issued_at for call in calls])
    arguments: list[str | bytes | int] = [life, oldest, scopes, shared]
    for call in calls:
        arguments += (call.keep, call.token)
    return arguments


def read_bare(reply: object, count: int) -> Sequence[object]:
    """What becomes of so many calls: outcomes, `DOUBT`, or an error for each; a ValueError for what no script gives."""
    if type(reply) is int and reply == 0:
        return [SettleOutcome.CLEAR] * count
    if isinstance(reply, Exception):
        return [reply] * count
    if reply is None:
        return [DOUBT] * count
    places = range(1, count + 1)
    if not isinstance(reply, list) or not reply or any(type(place) is not int for place in reply):
        return [ValueError("not places of calls")] * count
    if reply != [place for place in places if place in reply]:
        return [ValueError("not places of these calls")] * count
    return [SettleOutcome.REPLAYED if place in reply else SettleOutcome.CLEAR for place in places]
