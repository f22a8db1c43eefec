"""The same odd requests to a transparent listener, on all their ways: judged and forwarded as those to the proxy."""

from __future__ import annotations

import uuid

import pytest

from aegis_authz.local.namespaces import missing
from tests.differential.conftest import NAIVE, RPC, STRICT, Gate
from tests.differential.corpus import Case, Way, cases
from tests.differential.players import CLOSED, Names, play, play_redirected
from tests.differential.test_judged_is_forwarded import check, outcome, receipt_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

NO_HTTP = (
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
"""Requests in the clear whose first line is not taken for HTTP: their connection is closed."""
EXCEPTIONS: dict[tuple[Way, str], str] = {
    **{("http1", name): CLOSED for name in NO_HTTP},
    ("http2", "http2: a CONNECT"): "404 by Envoy",  # there is no proxy to ask
}
TRIES = 3  # a busy machine may have no time to judge: 503
CASES = cases()
HOSTS: dict[Way, str] = {"http1": NAIVE, "http2": NAIVE, "https": STRICT}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_what_is_led_here_is_answered_as_what_came_by_the_proxy(case: Case, gate: Gate) -> None:
    if missing():
        pytest.skip(missing())
    for way in case.ways:
        for _ in range(TRIES):
            by_proxy, led = await by_proxy_and_led(case, way, gate)
            if "503" not in by_proxy + led:
                break
        assert led == EXCEPTIONS.get((way, case.name), by_proxy), way


async def by_proxy_and_led(case: Case, way: Way, gate: Gate) -> tuple[str, str]:
    """What became of a case by the proxy, and of one that rules led to the transparent listener."""
    host = RPC if case.is_message else HOSTS[way]
    outcomes = []
    for is_led in (False, True):
        names = Names(host, gate.judge.token(), str(uuid.uuid4()), str(uuid.uuid4()))
        if is_led:
            connection = gate.redirected(443 if way == "https" else 80)
            status = await play_redirected(case, way, names, connection, gate.trusting)
        else:
            status = await play(case, way, names, gate.port, gate.trusting)
        receipts = await receipt_of(gate, host, names.request_id, status)
        judged = gate.judge.judgements.get(names.request_id, [])
        assert list(check(gate, host, receipts, judged)) == []
        outcomes.append(outcome(status, receipts, judged))
    return outcomes[0], outcomes[1]


async def test_the_exceptions_are_of_cases_that_there_are() -> None:
    assert {case.name for case in CASES} >= {name for _, name in EXCEPTIONS}
