"""What moved between two looks at the metrics, and which panels of the real dashboards select it."""

from __future__ import annotations

import pytest

from aegis_authz.demo.use_cases.metrics import Movement, Panel, movements, panels, series, showing
from aegis_authz.local.documents import dashboard_folder

BEFORE = """\
# TYPE aegis_decisions_total counter
aegis_decisions_total{effect="deny",reason="POLICY_DENIED"} 2
# TYPE aegis_limit_left gauge
aegis_limit_left{policy="p",limit="l",unit="USD"} 20
# TYPE aegis_workers gauge
aegis_workers 2
# TYPE aegis_cpu_seconds_total counter
aegis_cpu_seconds_total 1
"""
AFTER = """\
# TYPE aegis_decisions_total counter
aegis_decisions_total{effect="deny",reason="POLICY_DENIED"} 5
aegis_decisions_total{effect="allow",reason="ALLOWED"} 1
# TYPE aegis_limit_left gauge
aegis_limit_left{policy="p",limit="l",unit="USD"} 8
# TYPE aegis_workers gauge
aegis_workers 3
# TYPE aegis_cpu_seconds_total counter
aegis_cpu_seconds_total 2
"""


def moved(name: str, **labels: str) -> Movement:
    return Movement(name, labels, 0, 1)


def test_what_moved_is_counters_of_calls_and_gauges_of_limits() -> None:
    assert [str(movement) for movement in movements(series(BEFORE), series(AFTER))] == [
        'aegis_decisions_total{effect="allow",reason="ALLOWED"} +1',
        'aegis_decisions_total{effect="deny",reason="POLICY_DENIED"} +3',
        'aegis_limit_left{limit="l",policy="p",unit="USD"} = 8',
    ]


def test_what_is_as_it_was_did_not_move() -> None:
    assert movements(series(AFTER), series(AFTER)) == []


@pytest.mark.parametrize(
    ("query", "is_selected"),
    [
        ("sum(rate(aegis_decisions_total[5m]))", True),
        ('rate(aegis_decisions_total{effect="deny"}[5m])', True),
        ('rate(aegis_decisions_total{effect="allow"}[5m])', False),
        ('rate(aegis_decisions_total{effect!="allow", reason=~"REPLAYED|POLICY_.*"}[5m])', True),
        ('rate(aegis_decisions_total{reason=~"POLICY"}[5m])', False),
        ("rate(aegis_decisions[5m])", False),
        ('rate(aegis_faults_total[5m]) / rate(aegis_decisions_total{reason="POLICY_DENIED"}[5m])', True),
    ],
)
def test_a_panel_shows_what_its_query_selects(query: str, is_selected: bool) -> None:
    panel = Panel("board", "title", query)
    denial = moved("aegis_decisions_total", effect="deny", reason="POLICY_DENIED")
    assert showing([panel], [denial]) == ([panel] if is_selected else [])


def test_a_redaction_shows_on_the_real_dashboards_where_redactions_are() -> None:
    titles = {panel.title for panel in showing(panels(dashboard_folder()), [moved("aegis_redactions_total")])}
    assert titles == {"Redactions", "Redactions by detector"}
