"""Sheets that were made before: most calls are of agents and limits seen a moment ago."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.limit import Limit
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import LimitId, Millis
from aegis_authz.limits.charges import Sheet, resolved, sheet_of
from aegis_authz.limits.windows import QUARTER

_MOST = 4096


class Sheets:
    """Remembers sheets by agent, limits and quarter of an hour: those of one snapshot, so that no older one is kept."""

    __slots__ = ("_limits", "_sheets")

    def __init__(self) -> None:
        self._limits: Mapping[LimitId, Limit] = {}
        self._sheets: dict[tuple[str, str, str, tuple[LimitId, ...], int], Sheet] = {}

    def of(self, ids: tuple[LimitId, ...], limits: Mapping[LimitId, Limit], scope: Scope, now: Millis) -> Sheet:
        """What the limits of these ids charge the agent at a moment. Raises Refused(LIMIT_UNKNOWN)."""
        if limits is not self._limits or len(self._sheets) >= _MOST:
            self._limits = limits
            self._sheets.clear()
        key = (scope.org, scope.tenant, scope.agent, ids, now // QUARTER)
        sheet = self._sheets.get(key)
        if sheet is None:
            sheet = self._sheets[key] = sheet_of(resolved(ids, limits), scope, now)
        return sheet
