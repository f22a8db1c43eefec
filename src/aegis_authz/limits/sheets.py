"""Sheets that were made before: most calls are of agents and limits seen a moment ago."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.limit import Limit
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import LimitId, Millis
from aegis_authz.limits.charges import Sheet, resolved, sheet_of
from aegis_authz.limits.windows import QUARTER

_MOST = 4096


@dataclass(frozen=True, slots=True)
class Sheets:
    """Remembers sheets by agent, limits and quarter of an hour, for as long as the snapshot's limits are the same."""

    _sheets: dict[tuple[str, tuple[LimitId, ...], int], tuple[Mapping[LimitId, Limit], Sheet]] = field(
        default_factory=dict
    )

    def of(self, ids: Sequence[LimitId], limits: Mapping[LimitId, Limit], scope: Scope, now: Millis) -> Sheet:
        """What the limits of these ids charge the agent at a moment. Raises Refused(LIMIT_UNKNOWN)."""
        key = (str(scope), tuple(ids), now // QUARTER)
        before = self._sheets.get(key)
        if before is not None and before[0] is limits:
            return before[1]
        sheet = sheet_of(resolved(ids, limits), scope, now)
        if len(self._sheets) >= _MOST:
            self._sheets.clear()
        self._sheets[key] = (limits, sheet)
        return sheet
