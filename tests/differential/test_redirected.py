"""The same odd requests to a transparent listener, in the clear and in TLS: judged and forwarded as by a proxy's client."""

from __future__ import annotations

import uuid
from typing import Literal

import pytest

from aegis_authz.local.namespaces import missing
from tests.differential.conftest import NAIVE, STRICT, Gate
from tests.differential.corpus import Case, cases
from tests.differential.players import CLOSED, Names, play, play_redirected
from tests.differential.test_judged_is_forwarded import check, outcome, receipt_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

NO_HTTP = frozenset(
    (
        "framing: a NUL in the target",
        "framing: a space inside the target",
        "framing: a version in small letters",
        "framing: an empty line before the request",
        "hosts: a URL with a backslash",
        "hosts: a URL with a backslash and another host",
        "hosts: a URL without slashes",
        "paths: a byte beyond ASCII",
        "paths: backslashes for slashes",
        "queries: a byte beyond ASCII",
        "queries: a tab",
    )
)
"""Requests in the clear whose first line is not taken for HTTP: their connection is closed."""
CASES = [case for case in cases() if "http1" in case.ways or "https" in case.ways]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_what_is_led_here_is_answered_as_what_came_by_the_proxy(case: Case, gate: Gate) -> None:
    if missing():
        pytest.skip(missing())
    pairs: list[tuple[Literal["http1", "https"], str]] = [("http1", NAIVE), ("https", STRICT)]
    for way, host in pairs:
        if way not in case.ways:
            continue
        by_proxy = Names(host, gate.judge.token(), str(uuid.uuid4()), str(uuid.uuid4()))
        expected = await play(case, way, by_proxy, gate.port, gate.trusting)
        led = Names(host, gate.judge.token(), str(uuid.uuid4()), str(uuid.uuid4()))
        connection = gate.redirected(80 if way == "http1" else 443)
        status = await play_redirected(case, led, connection, None if way == "http1" else gate.trusting)
        outcomes = []
        for names, answer in ((by_proxy, expected), (led, status)):
            receipts = await receipt_of(gate, host, names.request_id, answer)
            judged = gate.judge.judgements.get(names.request_id, [])
            assert list(check(gate, host, receipts, judged)) == []
            outcomes.append(outcome(answer, receipts, judged))
        if way == "http1" and case.name in NO_HTTP:
            assert outcomes[1] == CLOSED
        else:
            assert outcomes[1] == outcomes[0], f"{way} to {host}"


async def test_the_list_of_what_is_closed_names_cases_that_there_are() -> None:
    assert {case.name for case in CASES} >= NO_HTTP
