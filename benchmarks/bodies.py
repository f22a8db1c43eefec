"""`python -m benchmarks.bodies`: what the reading of a call costs by the format of its body, in one process.

The same fields in each format, from the request as it came to the call that is judged; CPU time, the best of some
rounds. `--write` puts the table into docs/traffic.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from aegis_authz.core.catalogue import (
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call
from benchmarks.report.pages import write_page

PAGE = Path(__file__).parent.parent / "docs" / "traffic.md"
FIELDS = (3, 5, 10, 20)
"""How many fields; calls of APIs that take forms have seldom more."""
MOST_OF_A_FORM = 1.3
"""What a form may cost at most, of what JSON does."""
START, END = "<!-- costs -->", "<!-- /costs -->"
_ROUNDS = 15
_CALLS = 300
_BOUNDARY = "----boundary7MA4YWxkTrZu0gW"
_TYPES = {
    BodyFormat.JSON: "application/json",
    BodyFormat.FORM: "application/x-www-form-urlencoded",
    BodyFormat.MULTIPART: f"multipart/form-data; boundary={_BOUNDARY}",
}


def call_of(body_format: BodyFormat, count: int) -> tuple[HttpCall, Catalogue]:
    """A call with so many fields, and the catalogue that lists them."""
    fields = {f"field_{number}": f"value {number} of a usual length" for number in range(count)}
    parameters = tuple(
        Parameter(name, ParameterSource.BODY, f"/{name}", ParameterType.STRING, False, None) for name in fields
    )
    bodies = JSON_ALONE if body_format is BodyFormat.JSON else (body_format,)
    action = Action("pay", "POST", ("v1", "payments"), parameters, False, bodies, ONE_OPERATION)
    catalogue = Catalogue.of(
        (Tool("bank", "bank.example", None, "", (action,), "", "", None, False, False, NO_INTERFACE),)
    )
    headers = {"content-type": (_TYPES[body_format],)}
    body = _body(body_format, fields)
    return HttpCall(
        *("r", "POST", "http", "bank.example", None, "/v1/payments", "", headers, body, "", "", "", "", "", False)
    ), catalogue


def _body(body_format: BodyFormat, fields: Mapping[str, str]) -> bytes:
    match body_format:
        case BodyFormat.FORM:
            return urlencode(fields).encode()
        case BodyFormat.MULTIPART:
            parts = (
                f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                for name, value in fields.items()
            )
            return f"{''.join(parts)}--{_BOUNDARY}--\r\n".encode()
        case _:
            return json.dumps(fields).encode()


def microseconds(body_format: BodyFormat, count: int) -> float:
    """CPU time of reading one call, the best of some rounds."""
    http, catalogue = call_of(body_format, count)

    def seconds() -> float:
        before = time.process_time()
        for _ in range(_CALLS):
            read_tool_call(http, catalogue)
        return (time.process_time() - before) / _CALLS

    return min(seconds() for _ in range(_ROUNDS)) * 1e6


def table() -> str:
    """The costs as Markdown."""
    lines = ["| fields | JSON, µs | form | multipart |", "|---:|---:|---:|---:|"]
    for count in FIELDS:
        of_json = microseconds(BodyFormat.JSON, count)
        others = (microseconds(kind, count) / of_json for kind in (BodyFormat.FORM, BodyFormat.MULTIPART))
        lines.append(f"| {count} | {of_json:.0f} | {' | '.join(f'{ratio:.2f}x' for ratio in others)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure; print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    text = table()
    if parser.parse_args().write:
        write_page(PAGE, START, END, text)
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
