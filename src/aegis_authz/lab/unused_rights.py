"""Rights that documents give and no recorded call has used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.rights import Ground, Right, rights_of


@dataclass(frozen=True, slots=True)
class UnusedRight:
    """An action that an agent may call, or may once a person lets it, and did not; `rules` are those that say so."""

    agent: Scope
    tool: str
    action: str
    rules: tuple[Ground, ...]


@dataclass(slots=True)
class UseBook:
    """What recorded calls have used from `since` on: each action of a tool that an agent was not refused.

    `first` is the time of the first record of all, None where there is none; `unreadable` counts lines that are no
    record known here, which may have used anything.
    """

    since: float
    first: float | None = None
    unreadable: int = 0
    uses: set[tuple[Scope, str, str]] = field(default_factory=set)

    def take(self, batch: Iterable[StoredRecord]) -> None:
        """Add the records of a batch."""
        for stored in batch:
            record = stored.record
            if record is None:
                self.unreadable += 1
                continue
            self.first = record.time if self.first is None else min(self.first, record.time)
            if not isinstance(record, DecisionRecord) or record.identity is None or record.time < self.since:
                continue
            if record.effect is not Effect.DENY and record.tool:
                self.uses.add((record.identity.scope, record.tool, record.action))


@dataclass(frozen=True, slots=True)
class RightsReport:
    """How many rights the agents have, and which of them nobody used. Agents are those that documents name, and those
    that have called.
    """

    agents: int
    rights: int
    unused: tuple[UnusedRight, ...]


def unused_rights(book: UseBook, loaded: Loaded) -> RightsReport:
    """The rights that no call of the book used, by agent, tool and action."""
    scopes = {policy.scope for policy in loaded.policies if ANY not in policy.scope}
    agents = sorted({*map(Scope.parse, scopes), *(scope for scope, _, _ in book.uses)}, key=str)
    unused: list[UnusedRight] = []
    count = 0
    for agent in agents:
        rows = [row for row in rights_of(loaded.loaded_policies, loaded.tools, agent).rows if _is_right(row)]
        count += len(rows)
        listed = {(row.tool, row.action) for row in rows}
        unused += [
            UnusedRight(agent, row.tool, row.action, row.allowing)
            for row in rows
            if not _is_used(row, agent, listed, book)
        ]
    return RightsReport(len(agents), count, tuple(unused))


def _is_right(row: Right) -> bool:
    return row.effect is not Effect.DENY and bool(row.allowing)


def _is_used(row: Right, agent: Scope, listed: set[tuple[str, str]], book: UseBook) -> bool:
    if row.action != ANY:
        return (agent, row.tool, row.action) in book.uses
    others = (action for scope, tool, action in book.uses if (scope, tool) == (agent, row.tool))
    return any((row.tool, action) not in listed for action in others)


def by_rule(rights: Sequence[UnusedRight]) -> dict[Ground, list[UnusedRight]]:
    """The unused rights under each rule that gives them."""
    rules: dict[Ground, list[UnusedRight]] = {}
    for right in rights:
        for ground in right.rules:
            rules.setdefault(ground, []).append(right)
    return rules
