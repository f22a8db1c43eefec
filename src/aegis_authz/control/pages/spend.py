"""The page of spend: what calls cost by day, tenant, agent and tool, and what is left of budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.limits import amount_text, limit_row
from aegis_authz.control.pages.templates import page_of
from aegis_authz.control.spend.charts import Bar, Chart, CurrencySheet
from aegis_authz.evidence.spend import Dimension
from aegis_authz.notices.words import ascii_line

SPANS = (7, 30, 90, 366)
"""For how many days spend is shown."""
USUAL_SPAN = 30
"""For how many it is where nobody says so."""
_LABEL = 44
"""Characters of a label that a chart has room for; the table beside it has them all."""
_TITLES = {
    Dimension.DAY: "By day (UTC)",
    Dimension.TENANT: "By tenant",
    Dimension.AGENT: "By agent",
    Dimension.TOOL: "By tool",
}


@dataclass(frozen=True, slots=True)
class SpendFilter:
    """What of the spend is shown, "" for all, and for how many days."""

    tenant: str
    agent: str
    tool: str
    days: int


@dataclass(frozen=True, slots=True)
class SpendPage:
    """What the page shows. `limits_note` says why there are no limits, "" where they were looked for."""

    choice: SpendFilter
    sheets: Sequence[CurrencySheet]
    tenants: Sequence[str]
    tools: Sequence[str]
    limits: Sequence[LimitAnswer]
    limits_note: str


def spend_page(content: SpendPage, frame: Frame) -> Response:
    """The page."""
    choice = content.choice
    return page_of(
        "spend.html",
        200,
        frame,
        filters=[
            {"name": "tenant", "label": "Tenant", "value": choice.tenant, "choices": content.tenants},
            {"name": "agent", "label": "Agent (org/tenant/agent)", "value": choice.agent},
            {"name": "tool", "label": "Tool", "value": choice.tool, "choices": content.tools},
            {
                "name": "days",
                "label": f"Days (any: {USUAL_SPAN})",
                "value": "" if choice.days == USUAL_SPAN else str(choice.days),
                "choices": [str(span) for span in SPANS],
            },
        ],
        days=choice.days,
        agent=choice.agent,
        sheets=[_sheet(sheet) for sheet in content.sheets],
        limits=[limit_row(limit) for limit in content.limits],
        limits_note=content.limits_note,
    )


def _sheet(sheet: CurrencySheet) -> dict[str, object]:
    return {
        "currency": sheet.currency,
        "total": amount_text(sheet.micros, sheet.currency),
        "estimated": amount_text(sheet.unsettled, sheet.currency),
        "is_estimated": sheet.unsettled > 0,
        "calls": sheet.calls,
        "charts": [_chart(chart) for chart in sheet.charts],
    }


def _chart(chart: Chart) -> dict[str, object]:
    highest = max(chart.bars, key=lambda bar: bar.micros, default=None)
    return {
        "id": f"{chart.by.value}-{chart.currency.lower()}",
        "by": chart.by.value,
        "title": f"{_TITLES[chart.by]}, in {chart.currency}",
        "desc": "Nothing was spent."
        if highest is None or not highest.micros
        else f"{len(chart.bars)} bars; the highest is {ascii_line(highest.label) or 'nobody'} with "
        f"{amount_text(highest.micros, chart.currency)}. The table after it has the same figures.",
        "is_of_days": chart.by is Dimension.DAY,
        "width": chart.width,
        "height": chart.height,
        "bars": [_bar(bar, chart.currency) for bar in chart.bars],
        "top": "" if highest is None else amount_text(highest.micros, chart.currency),
        "first": chart.bars[0].label if chart.bars else "",
        "last": chart.bars[-1].label if chart.bars else "",
    }


def _bar(bar: Bar, currency: str) -> dict[str, object]:
    label = ascii_line(bar.label) or "(nobody)"
    return {
        "label": label,
        "short": label if len(label) <= _LABEL else f"{label[: _LABEL - 1]}…",
        "amount": amount_text(bar.micros, currency),
        "estimated": amount_text(bar.unsettled, currency),
        "calls": bar.calls,
        "settled_at": bar.settled_at,
        "estimated_at": bar.estimated_at,
    }
