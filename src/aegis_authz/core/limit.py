"""Limits: how much calls may use of something within a span of time, and what happens to one that would use more.

Money is whole micro-units of its currency and time whole milliseconds: nothing that is counted is ever rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from typing import Final

from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import LimitId, Micros, Millis

MOST_MICROS: Final = Micros(4_000_000_000_000_000)
"""The highest amount of a limit and of a charge, in micro-units: four billion. Twice it is exact in a Lua number."""
MOST_COUNT: Final = 1_000_000_000
"""The highest number of calls that a limit counts."""
MOST_RATE: Final = 1_000_000
"""The most calls of a rate, and of its burst."""
MOST_DISTINCT: Final = 10_000
"""The most different values that a limit tells apart: each is remembered."""
MOST_CONCURRENT: Final = 10_000
"""The most calls under way that a limit allows: each is remembered."""
FLAG_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}\Z")
"""What a flag may be called."""
MOST_FLAGS: Final = 16
"""The most flags that a limit names."""
MOST_WINDOW: Final = Millis(400 * 86_400_000)
"""The longest span that is counted over, and the longest life of a flag."""
MOST_PACE: Final = Millis(86_400_000)
"""The longest span over which a rate spreads its calls."""


@total_ordering
class Exceed(Enum):
    """What a call over a limit meets. Strictness: OBSERVE < SANITIZE < APPROVAL_NEEDED < DENY."""

    word: str
    strictness: int

    OBSERVE = "observe"
    SANITIZE = "sanitize"
    APPROVAL_NEEDED = "approval_needed"
    DENY = "deny"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Exceed):
            return NotImplemented
        return self.strictness < other.strictness


for _strictness, _exceed in enumerate(Exceed):  # 0 for the mildest; compiled, an enumeration has no __init__
    _exceed.word, _exceed.strictness = _exceed.value, _strictness


class Per(Enum):
    """Whose calls a limit adds up: those of each agent by itself, or those of all agents of a tenant."""

    AGENT = "agent"
    TENANT = "tenant"


class Period(Enum):
    """A part of the calendar. Weeks begin on Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """A part of the calendar, in the IANA time `zone`; it begins anew with each."""

    period: Period
    zone: str


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """The last `length` milliseconds, whenever one looks."""

    length: Millis


Window = CalendarWindow | RollingWindow


@dataclass(frozen=True, slots=True)
class OfParameter:
    """A budget of what a parameter of the call says.

    `micros` are the micro-units that 1 of the parameter is worth: 1,000,000 for units, 10,000 for cents.
    `currency_parameter` is the parameter that names the currency of the call, "" where there is none.
    """

    parameter: str
    micros: Micros
    currency_parameter: str


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` per `per` milliseconds, evenly spread, `burst` of them at once (GCRA, ATM Forum af-tm-0121)."""

    calls: int
    per: Millis
    burst: int


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `amount` micro-units of `currency` (ISO 4217) within a window.

    `of` is the parameter that is summed up, None for what calls cost by the catalogue's prices.
    """

    amount: Micros
    currency: str
    window: Window
    of: OfParameter | None


@dataclass(frozen=True, slots=True)
class Count:
    """At most `most` calls within a window."""

    most: int
    window: Window


@dataclass(frozen=True, slots=True)
class Distinct:
    """At most `most` different values of a parameter within a window."""

    parameter: str
    most: int
    window: Window


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `most` calls under way; one whose end nobody tells counts for `life` milliseconds."""

    most: int
    life: Millis


@dataclass(frozen=True, slots=True)
class Flags:
    """Order among the calls of a session: a call that passes sets `sets` for `life` milliseconds.

    It needs all `requires` set and all `unless` not set. A session is what the agent says it is: `requires` looks at
    that session alone, `unless` at the whole agent unless the token's issuer names the session, so that no agent is rid
    of a flag by naming another.
    """

    sets: tuple[str, ...]
    requires: tuple[str, ...]
    unless: tuple[str, ...]
    life: Millis


Terms = Rate | Budget | Count | Distinct | Concurrency | Flags

KINDS: Mapping[type[Terms], str] = {
    Rate: "rate",
    Budget: "budget",
    Count: "count",
    Distinct: "distinct",
    Concurrency: "concurrency",
    Flags: "flags",
}
"""The name that each kind of terms has as data."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of one policy document.

    `id` stays the same over publications that do not touch what is counted; `policy` and `name` are for people.
    `obligations` hold for a call over a limit that sanitizes, and are none of any other; as data, for whoever meets
    them reads them. `approval` is what a call over a limit that asks for an approval needs, None of any other.
    """

    id: LimitId
    policy: str
    name: str
    per: Per
    on_exceed: Exceed
    obligations: tuple[Json, ...]
    approval: ApprovalTerms | None
    terms: Terms

    @property
    def kind(self) -> str:
        """The name that the kind of its terms has as data."""
        return KINDS[type(self.terms)]

    def holder_of(self, scope: Scope) -> str:
        """Whose account a call of this agent is charged to: the agent's own, or that of its tenant."""
        return str(scope) if self.per is Per.AGENT else scope.tenant_path


def window_of(terms: Terms) -> Window | None:
    """The window that these terms count over, None for those that have none."""
    return terms.window if isinstance(terms, Budget | Count | Distinct) else None
