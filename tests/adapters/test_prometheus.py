"""Prometheus over HTTP: what its API answers, and all that is no answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aegis_authz.adapters.prometheus import PrometheusFigures
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.demo.serving import serving
from aegis_authz.ports.figures import FiguresFault

NOW = Epoch(1_800_000_000.0)


class Answers:
    """A server that answers what a test says."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.url.path, dict((await request.form()).items())))  # type: ignore[arg-type]  # no files
        return Response(self.body, self.status, {"location": "http://elsewhere.example/"})


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def figures(answers: Answers) -> AsyncIterator[PrometheusFigures]:
    app = Starlette(routes=[Route("/{path:path}", answers.answer, methods=["POST"])])
    async with serving(app) as port:
        made = PrometheusFigures(f"http://127.0.0.1:{port}/")
        yield made
        await made.close()


def success(kind: str, result: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


async def test_a_range_is_series_of_points_and_what_is_no_number_is_no_point(
    figures: PrometheusFigures, answers: Answers
) -> None:
    one, empty = {"metric": {"tool": "crm"}, "values": [[1, "2.5"], [2, "NaN"]]}, {"metric": {}, "values": [[1, "NaN"]]}
    answers.body = success("matrix", [one, empty])
    [series] = await figures.over("up", Epoch(NOW - 60), NOW, Seconds(5.0))
    assert (series.labels, series.last, len(series.points)) == ({"tool": "crm"}, 2.5, 1)
    words = {"query": "up", "start": "1799999940.000", "end": "1800000000.000", "step": "5.000"}
    assert answers.asked == [("/api/v1/query_range", words)]


async def test_a_moment_is_a_point_a_series_and_a_scalar_is_one_series(
    figures: PrometheusFigures, answers: Answers
) -> None:
    answers.body = success("vector", [{"metric": {}, "value": [1, "+Inf"]}])
    assert [series.last for series in await figures.at("up", NOW)] == [float("inf")]
    answers.body = success("scalar", [1, "7"])
    assert [series.last for series in await figures.at("7", NOW)] == [7.0]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (400, b'{"status":"error","error":"parse error: unexpected end"}', "answered 400: parse error"),
        (502, b"<html>", "answered 502"),
        (302, b"", "answered 302"),
        (200, b"nonsense", "what its API does not know"),
        (200, b"[]", "what its API does not know"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":{}}}', "what its API does not know"),
        (200, success("vector", [{"metric": {}, "value": [1, "many"]}]), "what its API does not know"),
        (200, b" " * (8 * 1024 * 1024 + 1), "more than 8388608 bytes"),
    ],
)
async def test_what_is_no_answer_is_a_fault(
    figures: PrometheusFigures, answers: Answers, status: int, body: bytes, problem: str
) -> None:
    answers.status, answers.body = status, body
    with pytest.raises(FiguresFault, match=problem):
        await figures.at("up", NOW)


async def test_one_that_is_away_is_a_fault() -> None:
    figures = PrometheusFigures("http://127.0.0.1:9")
    with pytest.raises(FiguresFault, match="cannot be asked: ConnectError"):
        await figures.at("up", NOW)
    await figures.close()
