"""HTTPS in the scenario: clients that know nothing of the mesh but a proxy and a file of authorities."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from urllib.parse import parse_qs

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row
from aegis_authz.demo.tools import ANSWER
from aegis_authz.encoding.narrowing import integer, mapping, number, text


@dataclass(frozen=True, slots=True)
class _Expectation:
    """A call of `stock_clients`, in its order, with what its client must have seen of the answer."""

    call: str
    decision: str
    reason: str
    statuses: tuple[int, ...]
    sight: str


_EXPECTED = (
    _Expectation("openai: ask, and read a stream", "allow", "ALLOWED", (200,), "|".join(ANSWER)),
    _Expectation("openai: a model that is not listed", "deny", "POLICY_DENIED", (403,), "model"),
    _Expectation("stripe: pay 4,200 by a form", "allow", "ALLOWED", (200,), "4200"),
    _Expectation("stripe: pay 50,000 by a form", "deny", "POLICY_DENIED", (403,), "at most 10000"),
    _Expectation("post to an unlisted host over https", "deny", "EGRESS_DENIED", (403,), ""),
)


async def https_calls(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """HTTPS of unchanged clients, opened, judged and refused where they can read why."""
    words = ("agent", "run", "--dir", str(mesh.state.resolve()), "--agent", "acme/emea/books-agent", "--")
    mesh.tools.received.clear()
    lines = (await mesh.aegis(*words, sys.executable, "-m", "aegis_authz.demo.stock_clients")).splitlines()
    received = {path: str(request["body"]) for path, request in mesh.tools.received.items()}
    payment = parse_qs(received.get("/v1/payment_intents", ""))
    is_exact = payment == {"amount": ["4200"], "currency": ["eur"]} and set(received) == {
        "/v1/payment_intents",
        "/v1/chat/completions",
    }
    return [_row(agent, line, expected, is_exact) for line, expected in zip(lines, _EXPECTED, strict=True)]


def _row(agent: Agent, line: str, expected: _Expectation, is_exact: bool) -> Row:
    facts = mapping(json.loads(line), "a line of the clients")
    decision_id = text(facts["x-aegis-decision-id"], "a decision id")
    record = agent.record(decision_id) or {}
    answer, reason = text(facts["x-aegis-decision"], "a decision"), str(record.get("reason", ""))
    is_seen = integer(facts["status"], "a status") in expected.statuses and expected.sight in str(facts["text"])
    return Row(
        chapter="https",
        call=expected.call,
        expected=f"{expected.decision} {expected.reason}",
        answer=answer,
        reason=reason,
        ms=float(number(facts["ms"], "ms")),
        decision_id=decision_id,
        ok=(answer, reason) == (expected.decision, expected.reason)
        and record.get("scheme") == "https"
        and is_seen
        and is_exact,
    )
