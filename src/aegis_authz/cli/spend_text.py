"""How spend reads: a table, JSON, and CSV by the column names of FOCUS."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from aegis_authz.cli.audit_text import printable
from aegis_authz.core.json_value import Json
from aegis_authz.core.money import decimal_text
from aegis_authz.evidence.spend import Dimension, SpendRow

FOCUS_BY = (Dimension.DAY, Dimension.TENANT, Dimension.AGENT, Dimension.TOOL)
"""What the rows of the CSV are by."""

FOCUS = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency"),
    *("ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost"),
    *("InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName"),
    *("ResourceId", "ResourceName", "ServiceCategory", "ServiceName", "SubAccountId", "SubAccountName", "Tags"),
    *("x_UnsettledCost", "x_ReleasedCalls"),
)
"""The columns, by FOCUS 1.2 (FinOps Open Cost and Usage Specification); those of our own begin with `x_`."""

_COLUMNS = ("calls", "cost", "unsettled", "released")


def spend_table(rows: Sequence[SpendRow], by: Sequence[Dimension]) -> Iterator[str]:
    """One line a row, in columns."""
    lines = [(*(dimension.value for dimension in by), *_COLUMNS)]
    for row in rows:
        cost, unsettled = (f"{decimal_text(micros)} {row.currency}" for micros in (row.micros, row.unsettled))
        lines.append((*map(printable, row.key), str(row.calls), cost, unsettled, str(row.released)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def spend_json(rows: Sequence[SpendRow], by: Sequence[Dimension]) -> str:
    """A JSON array; amounts in micro-units."""
    return json.dumps([row_to_json(row, by) for row in rows], indent=2)


def row_to_json(row: SpendRow, by: Sequence[Dimension]) -> dict[str, Json]:
    """A row by the names of its dimensions."""
    return {
        **{dimension.value: value for dimension, value in zip(by, row.key, strict=True)},
        "currency": row.currency,
        "calls": row.calls,
        "micros": row.micros,
        "unsettled_micros": row.unsettled,
        "released_calls": row.released,
    }


def spend_csv(rows: Sequence[SpendRow]) -> str:
    """CSV of rows by `FOCUS_BY`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FOCUS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(_focus(row))
    return text.getvalue()


def _focus(row: SpendRow) -> dict[str, str]:
    day, tenant, agent, tool = row.key
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    month = start.replace(day=1)
    next_month = (month + timedelta(days=32)).replace(day=1)
    cost = decimal_text(row.micros)
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        "BillingAccountId": tenant.partition("/")[0],
        "BillingAccountName": tenant.partition("/")[0],
        "BillingCurrency": row.currency,
        "BillingPeriodStart": _moment(month),
        "BillingPeriodEnd": _moment(next_month),
        "ChargeCategory": "Usage",
        "ChargeClass": "",
        "ChargeDescription": f"Calls of {tool} by {agent}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": _moment(start),
        "ChargePeriodEnd": _moment(start + timedelta(days=1)),
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), str(row.calls)),
        **dict.fromkeys(("ConsumedUnit", "PricingUnit"), "Calls"),
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceName"), tool),
        "ResourceId": agent,
        "ResourceName": agent.rpartition("/")[2],
        "ServiceCategory": "Other",
        "SubAccountId": tenant,
        "SubAccountName": tenant.rpartition("/")[2],
        "Tags": json.dumps({"agent": agent, "tool": tool}),
        "x_UnsettledCost": decimal_text(row.unsettled),
        "x_ReleasedCalls": str(row.released),
    }


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
