"""A dear input, what plain JSON of its length is, and how the two are timed beside each other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

import orjson

from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

KIB = 1024
SIZES = (1 * KIB, 16 * KIB, 256 * KIB)
"""Bytes of an input, where its reader takes as many: what is longer than the first is read by other means."""
ROUNDS = 7
_MORE_ROUNDS = 3
"""Of plain JSON, which is the measure of all else, for each round of that."""
_LONGEST_PLAIN = 128 * KIB
"""Bytes beyond which plain JSON costs the same for each KiB, and has more members than may be."""
_LETTERS = "etaoinshrdlu"


class Kind(Enum):
    """What reads an input."""

    BODY = "body"
    CALL = "call"
    CODING = "coding"
    DETECTOR = "detector"
    FILTER = "filter"
    CONDITION = "condition"


def nothing() -> None:
    """A `forget` for what remembers nothing."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input. `subject` is the name of its reader in that reader's own table, `shape` says what the input is.

    `size` is bytes as they are read, `wire` as they are sent. `read` reads it and raises Refused where it is refused,
    which it must be just when `taken` is not. `forget` is called before each reading.
    """

    kind: Kind
    subject: str
    shape: str
    size: int
    wire: int
    read: Callable[[], object]
    taken: bool = True
    forget: Callable[[], None] = nothing


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time of a case in microseconds, and what plain JSON takes for each KiB, read beside it."""

    case: Case
    microseconds: float
    plain: float

    @property
    def for_kib(self) -> float:
        """Microseconds for each KiB of what is read."""
        return self.microseconds * KIB / self.case.size

    @property
    def times(self) -> float:
        """As a multiple of plain JSON."""
        return self.for_kib / self.plain

    @property
    def times_wire(self) -> float:
        """The same for what was sent; only what is encoded has two lengths."""
        return self.times * self.case.size / self.case.wire


@lru_cache(maxsize=64)
def plain_json(size: int) -> bytes:
    """Records as an API sends them, at most `size` bytes of them and nearly as many."""
    chance = random.Random(3)  # noqa: S311  the same in every run
    records: list[bytes] = []
    length = 1
    while True:
        name = "".join(chance.choice(_LETTERS) for _ in range(8))
        price = chance.randrange(10**6) / 100
        record = {"id": chance.randrange(10**6), "name": name, "price": price, "active": True}
        text = orjson.dumps({**record, "note": "a text of a usual length"})
        length += len(text) + 1
        if length > size and records:
            return b"[" + b",".join(records) + b"]"
        records.append(text)


def seconds(action: Callable[[], object]) -> float:
    """CPU time of this process that an action takes, also where it is refused."""
    before = time.process_time()
    try:
        action()
    except Refused:
        return time.process_time() - before
    return time.process_time() - before


def is_taken(case: Case) -> bool:
    """Whether the input is read, and not refused."""
    try:
        case.read()
    except Refused:
        return False
    return True


def microseconds(case: Case, rounds: int) -> float:
    """CPU time of reading it, the least of so many rounds. Raises ValueError where it is not as the case has it."""
    if is_taken(case) is not case.taken:
        raise ValueError(f"{case.subject}, {case.shape}, {case.size} bytes: taken is not {case.taken}")
    least = float("inf")
    for _ in range(rounds):
        case.forget()
        least = min(least, seconds(case.read))
    return least * 1e6


def plain_microseconds(size: int, rounds: int) -> float:
    """CPU time that the strict reader takes for each KiB of plain JSON of that length, the least of so many rounds."""
    text = plain_json(min(size, _LONGEST_PLAIN))
    least = min(seconds(lambda: strict_json.parse(text)) for _ in range(_MORE_ROUNDS * rounds))
    return least * 1e6 * KIB / len(text)


def cost(case: Case, rounds: int = ROUNDS) -> Cost:
    """What a case costs, and plain JSON of its length in the same moment. Raises ValueError as `microseconds` does."""
    spent = microseconds(case, rounds)
    return Cost(case, spent, plain_microseconds(case.size, rounds))


def joined(
    before: str, unit: Callable[[int], str], after: str, most: int, between: str = ","
) -> Callable[[int], bytes]:
    """A text of `most` different units at most, as many as a size has room for."""

    def text(size: int) -> bytes:
        units: list[str] = []
        length = len((before + after).encode())
        while len(units) < most:
            part = unit(len(units))
            length += len((part + between).encode())
            if length > size and units:
                break
            units.append(part)
        return (before + between.join(units) + after).encode()

    return text
