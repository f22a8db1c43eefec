"""A report as a page that prints well, as JSON, and as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from html import escape

from aegis_authz.commands.compliance import ComplianceReport
from aegis_authz.evidence.compliance import Section, moment

_STYLE = """
body { font: 11pt/1.4 sans-serif; margin: 2em auto; max-width: 60em; color: #111; }
h1 { font-size: 18pt; margin-bottom: 0; } h2 { font-size: 13pt; margin: 1.6em 0 .3em; }
p { margin: .2em 0 .6em; } .bad { font-weight: bold; }
table { border-collapse: collapse; width: 100%; font-size: 9pt; }
th, td { border: 1px solid #999; padding: .25em .5em; text-align: left; vertical-align: top; overflow-wrap: anywhere; }
th { background: #eee; }
@page { size: A4; margin: 15mm; }
@media print { body { margin: 0; max-width: none; } thead { display: table-header-group; }
  tr { break-inside: avoid; } h2 { break-after: avoid; } th { background: none; } }
"""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def report_html(report: ComplianceReport) -> str:
    """One page without scripts or anything from elsewhere."""
    state = "All logs are intact, and no gap was found." if report.is_sound else _UNSOUND
    head = f"<h1>Report on {escape(report.tenant)}</h1><p>{_period(report)}</p>"
    verdict = f'<p class="{"good" if report.is_sound else "bad"}">{escape(state)}</p>'
    body = "\n".join(map(_section, report.sections))
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    title = f"<title>Report on {escape(report.tenant)}</title>"
    page = f"<head>{meta}{title}<style>{_STYLE}</style></head>\n<body>{head}\n{verdict}\n{body}\n</body>"
    return f'<!doctype html>\n<html lang="en">\n{page}\n</html>\n'


def report_json(report: ComplianceReport) -> str:
    """All of it as one JSON object; times of the period are epoch seconds, `to` null where it has no end."""
    data = {
        "tenant": report.tenant,
        "from": report.period.since,
        "to": None if math.isinf(report.period.until) else report.period.until,
        "sound": report.is_sound,
        "sections": [
            {
                "title": section.title,
                "remark": section.remark,
                "rows": [dict(zip(section.columns, row, strict=True)) for row in section.rows],
            }
            for section in report.sections
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def report_csv(report: ComplianceReport) -> str:
    """A line for each cell: section, row, column, value. What a spreadsheet would run as a formula is text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("section", "row", "column", "value"))
    writer.writerows(_cells(report))
    return stream.getvalue()


def _cells(report: ComplianceReport) -> Iterator[tuple[str, int, str, str]]:
    for section in report.sections:
        for number, row in enumerate(section.rows, start=1):
            for column, value in zip(section.columns, row, strict=True):
                yield section.title, number, column, f"'{value}" if value.startswith(_FORMULA) else value


def _section(section: Section) -> str:
    lines = [f"<h2>{escape(section.title)}</h2>"]
    if section.remark:
        lines.append(f"<p>{escape(section.remark)}</p>")
    if not section.rows:
        return "\n".join([*lines, "<p>None.</p>"])
    lines.append("<table><thead><tr>" + _row("th", section.columns) + "</tr></thead><tbody>")
    lines += [f"<tr>{_row('td', row)}</tr>" for row in section.rows]
    return "\n".join([*lines, "</tbody></table>"])


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


def _period(report: ComplianceReport) -> str:
    end = "" if math.isinf(report.period.until) else f" to {moment(report.period.until)}"
    return f"From {moment(report.period.since)}{end}, by the records."


_UNSOUND = "A log is not proven, or there are gaps: see Gaps and Proofs."
