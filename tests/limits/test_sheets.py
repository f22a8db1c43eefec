"""What is remembered of sheets, and what makes it out of date."""

from __future__ import annotations

import pytest

from aegis_authz.core.limit import CalendarWindow, Count, Exceed, Limit, Per, Period, Rate
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.limits import sheets
from aegis_authz.limits.sheets import Sheets
from aegis_authz.limits.windows import QUARTER

BOT, CAT = Scope("acme", "emea", "bot"), Scope("acme", "emea", "cat")
HOUR = CalendarWindow(Period.HOUR, "UTC")


def limits(most: int) -> dict[str, Limit]:
    terms = {"count": Count(most, HOUR), "rate": Rate(3, 1000, 3)}
    return {name: Limit(name, "p", name, Per.AGENT, Exceed.DENY, (), None, entry) for name, entry in terms.items()}


IDS = ("count", "rate")
FIVE, SIX = limits(5), limits(6)


def test_the_sheet_of_an_agent_is_made_once_in_a_quarter_of_an_hour() -> None:
    kept = Sheets()
    first = kept.of(IDS, FIVE, BOT, 0)
    assert kept.of(IDS, FIVE, BOT, QUARTER - 1) is first
    assert kept.of(IDS, FIVE, BOT, QUARTER) is not first


def test_other_agents_and_other_limits_have_sheets_of_their_own() -> None:
    kept = Sheets()
    first = kept.of(IDS, FIVE, BOT, 0)
    assert [row[1] for row in kept.of(IDS, FIVE, CAT, 0).rows] == ["acme/emea/cat"] * 2
    assert len(kept.of(("rate",), FIVE, BOT, 0).rows) == 1
    assert kept.of(IDS, FIVE, BOT, 0) is first


def test_a_limit_that_was_changed_holds_at_once_under_its_old_id() -> None:
    kept = Sheets()
    for book, most in ((FIVE, 5), (SIX, 6), (FIVE, 5)):
        charge = kept.of(IDS, book, BOT, 0).rows[0][2]
        assert charge is not None
        assert getattr(charge.measure, "most", None) == most


def test_nothing_is_kept_of_a_snapshot_that_was_replaced() -> None:
    kept = Sheets()
    for agent in (BOT, CAT):
        kept.of(IDS, FIVE, agent, 0)
    kept.of(IDS, SIX, BOT, 0)
    assert len(kept._sheets) == 1
    assert kept._limits is SIX


def test_what_the_snapshot_does_not_have_is_refused_each_time() -> None:
    kept = Sheets()
    for _ in range(2):
        with pytest.raises(Refused, match="gone"):
            kept.of(("gone",), FIVE, BOT, 0)


def test_it_remembers_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_MOST", 3)
    kept = Sheets()
    for number in range(10):
        kept.of(IDS, FIVE, BOT, number * QUARTER)
        assert len(kept._sheets) <= 3
