"""What one call uses of its limits: whole numbers, made before anything is written, and what the store found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from aegis_authz.core.limit import MOST_MICROS, MOST_WINDOW, Limit
from aegis_authz.core.units import DecisionId, LimitId, Millis


@dataclass(frozen=True, slots=True)
class Fixed:
    """A window that stands still: from `starts_at` up to, but not at, `ends_at`, in milliseconds since the epoch."""

    starts_at: Millis
    ends_at: Millis


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last `length` milliseconds."""

    length: Millis


Span = Fixed | Rolling


class Sum(NamedTuple):  # these and a charge are made for each call: a frozen dataclass takes three times as long
    """`amount` more in a sum that may not pass `most`. `is_cost`: an estimate, settled by what the call cost."""

    amount: int
    most: int
    span: Span
    is_cost: bool


class Pace(NamedTuple):
    """`amount` more calls of `calls` per `per` milliseconds, `burst` at once."""

    calls: int
    per: Millis
    burst: int
    amount: int


@dataclass(frozen=True, slots=True)
class Member:
    """Values, as their hashes, among at most `most` different ones."""

    values: tuple[str, ...]
    most: int
    span: Span


@dataclass(frozen=True, slots=True)
class Slot:
    """One of `most` places of calls under way, kept for at most `life` milliseconds."""

    most: int
    life: Millis


@dataclass(frozen=True, slots=True)
class Marks:
    """Flags that the call sets and those it is judged by.

    `session` is the hash of the session, "" for none, and `attested` that of a session which the token's issuer names.
    What is set is set at both; `requires` looks at the former, `unless` at the latter.
    """

    session: str
    attested: str
    sets: tuple[str, ...]
    requires: tuple[str, ...]
    unless: tuple[str, ...]
    life: Millis


Measure = Sum | Pace | Member | Slot | Marks


class Charge(NamedTuple):
    """What a call uses of one limit.

    `holder` is whose account it is, an agent or a tenant.
    """

    limit: Limit
    holder: str
    measure: Measure


def since_of(measure: Measure, now: Millis) -> Millis:
    """The moment from which on the store must have forgotten nothing for the measure to be right."""
    match measure:
        case Sum(span=Fixed(starts_at=starts_at)) | Member(span=Fixed(starts_at=starts_at)):
            return starts_at
        case Sum(span=Rolling(length=length)) | Member(span=Rolling(length=length)):
            return Millis(now - length)
        case Pace(calls=calls, per=per, burst=burst):
            return Millis(now - (burst * per // calls + 1))
        case Slot(life=life):
            return Millis(now - life)
        case Marks(unless=unless):
            return Millis(now - MOST_WINDOW) if unless else now
    raise AssertionError("every measure is one of these")


class Charging(NamedTuple):
    """Everything that one call uses.

    What was charged can be adjusted by the decision's id for `reserve` milliseconds, 0 for not at all.
    `is_held_when_over`: the settlement's approval is wanted only when a charge is over a limit that asks for it.
    """

    decision_id: DecisionId
    charges: tuple[Charge, ...]
    reserve: Millis
    is_held_when_over: bool


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a call came to after it was charged.

    `gives_back`: it did not happen, and nothing is charged. `cost` is what it cost, in the micro-units of its estimate,
    None when it is as estimated; it is at most `MOST_MICROS`. Calls under way end with it in any case; values that were
    new stay, and so do rates and flags.
    """

    gives_back: bool
    cost: int | None

    def __post_init__(self) -> None:
        if self.cost is not None and not 0 <= self.cost <= MOST_MICROS:
            raise ValueError("a cost is from 0 to what can be counted")


class Excess(Enum):
    """Why a charge is over its limit, or that it is not."""

    WITHIN = "0"
    OVER = "1"
    FLAG_MISSING = "2"
    FLAG_SET = "3"
    LOST = "4"


class Account(NamedTuple):  # as quick to make as it is often
    """How a limit stands after a call: what is used of it and left, and until when it is so.

    Amounts are micro-units or numbers of calls, values or flags; `of` is the limit itself. `resets_at` is the moment
    from which the same call would fit, or where it does fit, when the window is over; 0 when no time helps.
    """

    limit: LimitId
    used: int
    left: int
    of: int
    resets_at: Millis
    excess: Excess
