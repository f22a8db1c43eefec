"""A Prometheus over its HTTP API: bounded in time and size, and redirected nowhere.

Source: prometheus.io/docs/prometheus/latest/querying/api.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.figures import FiguresFault, Point, Series

_SECONDS = 10.0
_MAX_BYTES = 8 * 1024 * 1024
_MOST_SERIES = 500
"""Of an answer; a panel shows fewer."""


class PrometheusFigures:
    """`ports.Figures` from the Prometheus at this URL."""

    def __init__(self, url: str) -> None:
        # trust_env: neither a proxy nor other credentials of this process are for it
        self._http = httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False)
        self._base = url.rstrip("/")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def at(self, expression: str, moment: Epoch) -> Sequence[Series]:
        """The series of this moment, each with a point. Raises FiguresFault."""
        return await self._asked("query", {"query": expression, "time": f"{moment:.3f}"})

    async def over(self, expression: str, start: Epoch, end: Epoch, step: Seconds) -> Sequence[Series]:
        """The series from `start` to `end`, a point each `step`. Raises FiguresFault."""
        words = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._asked("query_range", words)

    async def _asked(self, way: str, words: Mapping[str, str]) -> list[Series]:
        try:
            async with self._http.stream("POST", f"{self._base}/api/v1/{way}", data=dict(words)) as answer:
                content = await _content(answer)
        except httpx.HTTPError as fault:
            raise FiguresFault(f"Prometheus cannot be asked: {type(fault).__name__}") from None
        if answer.status_code != httpx.codes.OK:
            raise FiguresFault(f"Prometheus answered {answer.status_code}{_reason(content)}")
        try:
            return _series(json.loads(content))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            raise FiguresFault("Prometheus answered what its API does not know") from None


async def _content(answer: httpx.Response) -> bytes:
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > _MAX_BYTES:
            raise FiguresFault(f"Prometheus answered more than {_MAX_BYTES} bytes")
    return bytes(content)


def _reason(content: bytes) -> str:
    """What Prometheus says of an expression that it refuses, "" where it says nothing."""
    try:
        document = json.loads(content)
    except ValueError:
        return ""
    text = document.get("error") if isinstance(document, dict) else None
    return f": {text[:200]}" if isinstance(text, str) else ""


def _series(document: Any) -> list[Series]:
    """The series of an answer that have a value. Raises ValueError and its like for what is no answer of the API."""
    data = document["data"]
    if document["status"] != "success" or not isinstance(data, dict) or not isinstance(data["result"], list):
        raise ValueError(document["status"])
    result, kind = data["result"], data["resultType"]
    if kind == "scalar":
        result = [{"metric": {}, "value": result}]
    found = [Series(entry["metric"], _points(entry)) for entry in result[:_MOST_SERIES]]
    return [series for series in found if series.points]


def _points(entry: Any) -> tuple[Point, ...]:
    """Its points; no value (NaN, as of 0/0) is no point."""
    pairs = entry["values"] if "values" in entry else [entry["value"]]
    points = [Point(Epoch(float(moment)), float(value)) for moment, value in pairs]
    return tuple(point for point in points if not math.isnan(point.value))
