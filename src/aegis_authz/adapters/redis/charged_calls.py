"""Calls that are charged what is plain and do nothing else: those of a partition that go together, by one script.

An account that several of them share is read and written once. What `charged.lua` leaves alone is a doubt, as in
bare_calls.py.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from aegis_authz.adapters.redis.bare_calls import DOUBT, obstacle_arguments
from aegis_authz.adapters.redis.charge_script import PlainCharges, PlainEntry
from aegis_authz.adapters.redis.settle_script import CLEAR, Arguments, SettleCall

_MARGIN = struct.Struct("<d")


def charged_arguments(calls: Sequence[SettleCall], life: str) -> Arguments:
    """What EVALSHA takes after the script's name, as charged.lua lays it out, for a server in that `life`.

    The calls are charged what is plain, at least one, and of one partition.
    """
    names = calls[0].names
    charges = [_charges(call) for call in calls]
    places: dict[int, int] = {}
    entries: dict[int, PlainEntry] = {}  # by identity: they hold much, and are looked at for each charge
    numbers: list[str | bytes | int] = []
    for call, plain in zip(calls, charges, strict=True):
        moving: list[int] = [call.now, plain.reserve]
        for entry, amount in zip(plain.entries, plain.amounts, strict=True):
            entries[id(entry)] = entry
            moving += (places.setdefault(id(entry), len(places) + 1), amount)
        numbers += (struct.pack(f"<{len(moving)}d", *moving), plain.reservation)
    keys = [names.epoch, names.revoked, names.quarantined, *[call.jti for call in calls], charges[0].mark]
    keys += [entry.account for entry in entries.values()]
    keys += [plain.reserved for plain in charges]
    standing = b"".join([_MARGIN.pack(charges[0].margin), *[entry.numbers for entry in entries.values()]])
    return (len(keys), *keys, *obstacle_arguments(calls, life), standing, *numbers)


def read_charged(reply: object, calls: Sequence[SettleCall]) -> Sequence[object]:
    """What becomes of each call: as settle.lua answers of plain charges, `DOUBT`, or an error for each.

    A ValueError for what no script gives.
    """
    if isinstance(reply, Exception):
        return [reply] * len(calls)
    if reply is None:
        return [DOUBT] * len(calls)
    sizes = [len(_charges(call).entries) for call in calls]
    if not isinstance(reply, bytes) or len(reply) != 8 * sum(sizes):
        return [ValueError("not a number for each charge")] * len(calls)
    numbers, end, answers = struct.unpack(f"<{sum(sizes)}d", reply), 0, list[object]()
    for size in sizes:
        part, end = numbers[end : end + size], end + size
        if all(number == -1 for number in part):
            answers.append(DOUBT)
        elif all(number.is_integer() for number in part):
            answers.append([CLEAR, [int(number) for number in part]])
        else:
            answers.append(ValueError("not whole numbers"))
    return answers


def _charges(call: SettleCall) -> PlainCharges:
    if call.plain is None:
        raise ValueError("a call that is charged nothing plain")
    return call.plain
