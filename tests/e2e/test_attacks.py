"""Attacks on a running mesh that must stay refused: real Envoy, OPA, Redis and authorizers.

What Envoy refuses by itself, without asking, leaves no record; everything else names its reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

SSN = "078-05-1120"
PAY = b'{"amount":10,"payee":"x"}'
HOST = b"host: api.stripe.example"
JSON_TO = b"content-type: application/json\r\n"
LINE = b"POST http://api.stripe.example/v1/payments HTTP/1.1"
GITHUB = "http://github.mcp.example/mcp"
RECORDS = "http://ehr.example/records/p-17"


@dataclass(frozen=True, slots=True)
class Wire:
    """What came back over a plain socket: the status, and the reasons recorded."""

    status: int
    reasons: list[str]


class Attacker:
    """Sends exactly these bytes to Envoy, with a fresh token of an agent among the headers."""

    def __init__(self, mesh: DemoMesh, agent: Agent) -> None:
        self._mesh = mesh
        self._agent = agent

    def token(self, agent: str = "finance-agent") -> bytes:
        return self._agent.tokens.mint(agent).encode()

    async def send(
        self, line: bytes, *headers: bytes, body: bytes = b"", token: bytes | None = None, base: str = ""
    ) -> Wire:
        """One request to `base`, else the forward proxy; `content-length` is added unless the headers frame the body."""
        lines = [line, b"x-aegis-token: " + (self.token() if token is None else token), *headers, b"connection: close"]
        if body and not any(re.match(rb"(?i)(content-length|transfer-encoding)", header) for header in headers):
            lines.append(b"content-length: %d" % len(body))
        port = int((base or self._mesh.proxy).rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        async with asyncio.timeout(10):
            raw = await _answer(reader)
        writer.close()
        ids = re.findall(rb"(?i)\r\nx-aegis-decision-id: (\S+)", raw)
        reasons = [str((self._agent.record(id_.decode()) or {}).get("reason")) for id_ in ids]
        return Wire(int(raw.split(maxsplit=2)[1]), reasons)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """A whole answer; Envoy keeps a connection it refused open for a second, which nobody waits for."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if length is None:
        return head + await reader.read()
    try:
        return head + await reader.readexactly(int(length.group(1)))
    except asyncio.IncompleteReadError as cut:  # of a HEAD
        return head + cut.partial


@pytest_asyncio.fixture(loop_scope="session")
async def attacker(mesh: DemoMesh, agent: Agent) -> AsyncIterator[Attacker]:
    mesh.tools.received.clear()
    yield Attacker(mesh, agent)


def chunked(body: bytes, trailers: bytes = b"") -> bytes:
    return b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((b"content-length: 4", b"transfer-encoding: chunked"), b"0\r\n\r\n"),
        ((b"content-length: 25", b"content-length: 26"), PAY),
        ((b"content-length: 25, 25",), PAY),
        ((b"content-length: +25",), PAY),
        ((b"transfer-encoding: gzip, chunked",), chunked(PAY)),
        ((b"transfer-encoding: chunked", b"transfer-encoding: identity"), chunked(PAY)),
        ((b"transfer-encoding : chunked",), chunked(PAY)),
        ((b"transfer-encoding: \x0bchunked",), chunked(PAY)),
        ((b"transfer-encoding: chunked",), b"-1\r\n" + PAY + b"\r\n0\r\n\r\n"),
        ((b"transfer-encoding: chunked",), b"19\n" + PAY + b"\n0\n\n"),
        ((b"x-a: 1\x002",), PAY),
        ((b"x a: 1",), PAY),
        ((b"x_aegis_token: t",), PAY),
    ],
)
async def test_a_request_framed_in_two_ways_reaches_nobody(
    attacker: Attacker, mesh: DemoMesh, headers: tuple[bytes, ...], body: bytes
) -> None:
    answer = await attacker.send(LINE, HOST, *headers, body=body)
    assert answer.status in (400, 501)
    assert answer.reasons == []
    assert mesh.tools.received == {}


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        (
            b"GET http://api.stripe.example/v1/payments/1 HTTP/1.1",
            (HOST, b"connection: upgrade", b"upgrade: websocket"),
        ),
        (b"CONNECT api.stripe.example HTTP/1.1", (HOST,)),
        (b"GET ftp://api.stripe.example/v1/payments/1 HTTP/1.1", (HOST,)),
        (b"GET https://api.stripe.example/v1/payments/1 HTTP/1.1", (HOST,)),
        (b"GET /v1/payments/1 HTTP/1.1", (b"host: api.stripe.example/x",)),
        (b"GET http://api.stripe.example/v1/payments/1#x HTTP/1.1", (HOST,)),
        (b"GET http://api.stripe.example/v1/payments/\xff HTTP/1.1", (HOST,)),
        (b"GET http://api.stripe.example/v1/payments%2f1 HTTP/1.1", (HOST,)),
    ],
)
async def test_what_is_no_plain_request_reaches_nobody(
    attacker: Attacker, mesh: DemoMesh, line: bytes, headers: tuple[bytes, ...]
) -> None:
    answer = await attacker.send(line, *headers)
    assert 400 <= answer.status < 500
    assert answer.reasons == []
    assert mesh.tools.received == {}


@pytest.mark.parametrize("target", [b"api.stripe.example:80", b"169.254.169.254:443", b"[::1]:443", b"localhost:443"])
async def test_a_connect_to_what_is_not_opened_reaches_nobody(
    attacker: Attacker, mesh: DemoMesh, target: bytes
) -> None:
    answer = await attacker.send(b"CONNECT " + target + b" HTTP/1.1", b"host: " + target)
    assert (answer.status, answer.reasons) == (403, ["EGRESS_DENIED"])
    assert mesh.tools.received == {}


@pytest.mark.parametrize(
    ("line", "host", "reason"),
    [
        (b"POST http://other.example/v1/payments HTTP/1.1", HOST, "EGRESS_DENIED"),
        (b"POST /v1/payments HTTP/1.1", HOST + b"\r\nhost: other.example", "AMBIGUOUS_HEADERS"),
        (b"POST /v1/payments HTTP/1.1", b"host: user@api.stripe.example", "AMBIGUOUS_HEADERS"),
        (b"POST /v1/payments HTTP/1.1", b"host: api.stripe.example:0080", "AMBIGUOUS_HEADERS"),
        (b"POST /v1/payments HTTP/1.1", b"host: api.stripe.example:443", "EGRESS_DENIED"),
        (b"POST /v1/payments HTTP/1.1", b"host: api.stripe.example..", "EGRESS_DENIED"),
        (b"POST http://api.stripe.example/v1/payments/ HTTP/1.1", HOST, "ACTION_UNKNOWN"),
        (b"POST http://api.stripe.example/V1/payments HTTP/1.1", HOST, "ACTION_UNKNOWN"),
        (b"POST http://api.stripe.example/v1/payments;a=b HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/payments%zz HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/%c0%ae/payments HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/payments?amount=50000 HTTP/1.1", HOST, "DUPLICATE_KEY"),
        (b"POST http://api.stripe.example/v1/payments?Amount=50000 HTTP/1.1", HOST, "DUPLICATE_KEY"),
        (b"POST http://api.stripe.example/v1/payments?amount[]=50000 HTTP/1.1", HOST, "DUPLICATE_KEY"),
        (b"POST http://api.stripe.example/v1/payments?_method=DELETE HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/payments?%u0061mount=5 HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"GET http://api.stripe.example/v1/payments/1 HTTP/1.1", HOST, "MALFORMED_CALL"),  # a GET with a body
        (b"GET http://api.stripe.example/v1/payments/%252e%252e%252fx HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"TRACE http://api.stripe.example/v1/payments HTTP/1.1", HOST, "ACTION_UNKNOWN"),
        (b"QUERY http://api.stripe.example/v1/payments HTTP/1.1", JSON_TO + HOST, "ACTION_UNKNOWN"),  # RFC 10008
        (b"POST http://api.stripe.example/v1/payments?amount=1&amount=50000 HTTP/1.1", HOST, "DUPLICATE_KEY"),
        (b"POST http://api.stripe.example/v1/payments?x%E2%80%8D=1 HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/payments?x=%0d%0a HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/.../payments HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/..%20/payments HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"POST http://api.stripe.example/v1/%EF%BC%8E%EF%BC%8E/payments HTTP/1.1", HOST, "MALFORMED_CALL"),
        (b"OPTIONS http://api.stripe.example/v1/payments HTTP/1.1", HOST, "ACTION_UNKNOWN"),
    ],
)
async def test_an_address_of_two_readings_is_refused(
    attacker: Attacker, mesh: DemoMesh, line: bytes, host: bytes, reason: str
) -> None:
    answer = await attacker.send(line, host, body=b"" if line.startswith((b"TRACE", b"HEAD")) else PAY)
    assert (answer.reasons, mesh.tools.received) == ([reason], {})


@pytest.mark.parametrize(
    "path", [b"/v1/x/../payments", b"/v1/x/..;/payments", b"/v1/x/..;a=b/payments", b"/v1/.;/payments"]
)
async def test_a_path_with_dot_segments_is_judged_as_the_path_that_the_tool_gets(
    attacker: Attacker, mesh: DemoMesh, path: bytes
) -> None:
    answer = await attacker.send(b"POST http://api.stripe.example" + path + b" HTTP/1.1", HOST, body=PAY)
    assert (answer.reasons, list(mesh.tools.received)) == (["ALLOWED"], ["/v1/payments"])
    mesh.tools.received.clear()
    refused = await attacker.send(b"POST http://api.stripe.example" + path + b"/1 HTTP/1.1", HOST, body=PAY)
    assert (refused.reasons, mesh.tools.received) == (["ACTION_UNKNOWN"], {})


@pytest.mark.parametrize(
    ("type_", "body", "reason"),
    [
        (b"application/json", b'{"amount":10,"Amount":50000}', "DUPLICATE_KEY"),
        (b"application/json", b'{"amount":10,"\\u0061mount":50000}', "DUPLICATE_KEY"),
        (b"application/json", b'{"amount":10,"a":{"b":[{"c":1,"C":2}]}}', "DUPLICATE_KEY"),
        (b"application/json", b'{"Amount":50000}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":10,"amount ":50000}', "DUPLICATE_KEY"),
        (b"application/json", b'{"amount ":50000}', "MALFORMED_CALL"),
        (b"application/json", b'{"__proto__":{"amount":50000},"amount":10}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":10,"amount[]":50000}', "MALFORMED_CALL"),
        (b"application/json", '{"amount":10,"am\u200bount":50000}'.encode(), "DUPLICATE_KEY"),
        (b"application/json", '{"\uff41mount":50000}'.encode(), "MALFORMED_CALL"),
        (b"application/json", b'{"amount":10,"destination":"elsewhere"}', "PARAMETER_UNKNOWN"),
        (b"application/json", b'{"amount":1e-9999999999999999999}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":10,"_method":"DELETE"}', "MALFORMED_CALL"),
        (b"application/json", b'\xef\xbb\xbf{"amount":10}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":10}{"amount":50000}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":5000.000000000000000001}', "MALFORMED_CALL"),
        (b"application/json", b'{"amount":-5}', "POLICY_DENIED"),
        (b"application/json", b'{"amount":"10"}', "PARAMETER_TYPE"),
        (b"application/json;charset=utf-16", PAY, "MALFORMED_CALL"),
        (b"application/x-www-form-urlencoded", b"amount=10", "MALFORMED_CALL"),
        (b"application/json\r\ncontent-encoding: gzip", PAY, "CONTENT_ENCODED"),
    ],
)
async def test_a_body_of_two_readings_is_refused(
    attacker: Attacker, mesh: DemoMesh, type_: bytes, body: bytes, reason: str
) -> None:
    answer = await attacker.send(LINE, HOST, b"content-type: " + type_, body=body)
    assert (answer.reasons, mesh.tools.received) == ([reason], {})


async def test_a_tool_reads_the_body_as_what_it_was_judged_as_and_nothing_of_the_trailers(
    attacker: Attacker, mesh: DemoMesh
) -> None:
    claims = (
        b"transfer-encoding: chunked",
        b"content-type: multipart/form-data; boundary=x",
        b"x-http-method-override: PUT",
    )
    answer = await attacker.send(LINE, HOST, *claims, body=chunked(PAY, b"x-aegis-obligation: none\r\n"))
    received = mesh.tools.received["/v1/payments"]
    headers = received["headers"]
    assert isinstance(headers, dict)
    assert (answer.status, received["body"], headers["content-type"]) == (201, PAY.decode(), "application/json")
    assert not headers.keys() & {"x-http-method-override", "x-aegis-obligation", "x-aegis-token"}


async def test_of_many_calls_at_once_with_one_token_exactly_one_passes(mesh: DemoMesh, agent: Agent) -> None:
    headers = [{"x-aegis-token": agent.tokens.mint("finance-agent")}] * 100
    statuses = await _pay_at_once(mesh, 1, headers)
    assert statuses[201] == 1


async def test_an_override_token_is_good_for_one_call_of_one_agent(mesh: DemoMesh, agent: Agent) -> None:
    order = {"amount": 6000, "payee": "x"}
    held = await agent.call("finance-agent", "POST", PAYMENTS, order)
    override = await mesh.approve(held.approval_id)
    with pytest.raises(CommandFailed, match="cannot be decided"):
        await mesh.approve(held.approval_id)
    attempts = [
        (await agent.call("finance-agent", "POST", PAYMENTS, {**order, "amount": 6001}, override=override)).reason,
        (await agent.call("finance-agent", "POST", PAYMENTS, {**order, "payee": "y"}, override=override)).reason,
        (await agent.call("deploy-agent", "POST", PAYMENTS, order, override=override)).reason,
        (await agent.call("finance-agent", "POST", PAYMENTS, order, override=override + "A")).reason,
        (
            await agent.call("finance-agent", "POST", PAYMENTS, order, override=agent.tokens.mint("finance-agent"))
        ).reason,
        (await agent.call("finance-agent", "POST", PAYMENTS, order, token=override)).reason,
    ]
    mismatch, invalid = "APPROVAL_MISMATCH", "APPROVAL_INVALID"
    assert attempts == [mismatch, mismatch, mismatch, invalid, invalid, "CREDENTIAL_MALFORMED"]
    headers = [{"x-aegis-token": agent.tokens.mint("finance-agent"), "x-aegis-approval": override} for _ in range(30)]
    assert (await _pay_at_once(mesh, 6000, headers))[201] == 1


async def test_a_call_shows_exactly_one_token(attacker: Attacker) -> None:
    one, two = attacker.token(), attacker.token()
    reasons = [
        (await attacker.send(LINE, HOST, body=PAY, token=one + b"," + two)).reasons,
        (await attacker.send(LINE, HOST, b"x-aegis-token: " + two, body=PAY, token=one)).reasons,
        (await attacker.send(LINE, HOST, b"proxy-authorization: Bearer " + two, body=PAY, token=one)).reasons,
        (await attacker.send(LINE, HOST, body=PAY, token=one + b"=")).reasons,
        (await attacker.send(LINE, HOST, b"authorization: Bearer " + two, body=PAY, token=b"")).reasons,
    ]
    bad, several = ["CREDENTIAL_MALFORMED"], ["CREDENTIAL_AMBIGUOUS"]
    assert reasons == [bad, several, several, bad, bad]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/stripe-payments/../ehr/records/1", ["POLICY_DENIED"]),  # the tool is ehr, for Envoy and for policy
        (b"/stripe-payments/%2e%2e/ehr/records/1", ["POLICY_DENIED"]),
        (b"/stripe-payments/http://ehr.example/records/1", ["ACTION_UNKNOWN"]),
        (b"/stripe-payments;x/v1/payments/1", ["EGRESS_DENIED"]),
        (b"/Stripe-Payments/v1/payments/1", ["EGRESS_DENIED"]),
        (b"/v1/payments/1", ["EGRESS_DENIED"]),  # whatever tool the Host header names
        (b"/stripe-payments%2fv1/payments/1", []),
    ],
)
async def test_a_reverse_route_is_one_tool(
    attacker: Attacker, mesh: DemoMesh, path: bytes, expected: list[str]
) -> None:
    answer = await attacker.send(b"GET " + path + b" HTTP/1.1", HOST, base=mesh.reverse)
    assert (answer.reasons, mesh.tools.received) == (expected, {})


@pytest.mark.parametrize(
    ("message", "headers", "reason"),
    [
        ([{"method": "tools/call", "params": {"name": "list_issues"}}], {}, "MALFORMED_CALL"),
        ({"id": None, "method": "tools/call", "params": {"name": "delete_repository"}}, {}, "MALFORMED_CALL"),
        ({"method": "tools/call", "params": {"name": "delete_repository"}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "tools/call", "params": {"name": "list_issues"}, "result": {}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "tools/call", "params": {"name": ["list_issues"]}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "tools/call", "params": {"name": "list_issues", "Arguments": {}}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "tools/call", "params": {"name": "list_issues", "extra": {}}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "Tools/Call", "params": {"name": "delete_repository"}}, {}, "MALFORMED_CALL"),
        ({"id": 1, "method": "tools/call", "params": {"name": "List_Issues"}}, {}, "POLICY_DENIED"),
        ({"id": 1, "method": "resources/read", "params": {"uri": "file:///etc/passwd"}}, {}, "POLICY_DENIED"),
        (
            {"id": 1, "method": "tools/call", "params": {"name": "list_issues"}},
            {"mcp-name": "delete_repository"},
            "HEADER_MISMATCH",
        ),
        ({"id": 1, "method": "ping"}, {"mcp-session-id": "0" * 32}, "SESSION_INVALID"),
        ({"id": 1, "method": "initialize", "params": {}}, {"mcp-session-id": "aegis1.x.y"}, "SESSION_INVALID"),
        (
            {"id": 1, "method": "tools/call", "params": {"name": "list_issues"}},
            {"mcp-session-id": f"aegis1.{'A' * 43}.{'0' * 32}"},
            "SESSION_INVALID",
        ),
    ],
)
async def test_no_dress_gets_a_forbidden_mcp_call_through(
    mesh: DemoMesh, agent: Agent, message: object, headers: dict[str, str], reason: str
) -> None:
    sent = {"jsonrpc": "2.0", **message} if isinstance(message, dict) else message
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        token = {"x-aegis-token": agent.tokens.mint("coding-agent")}
        answer = await client.post(GITHUB, json=sent, headers={**token, **headers})
    record = agent.record(answer.headers["x-aegis-decision-id"]) or {}
    assert (record["effect"], record["reason"]) == ("deny", reason)


async def test_what_must_be_redacted_does_not_pass_beside_the_body(mesh: DemoMesh, agent: Agent) -> None:
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:

        async def put(url: str, **headers: str) -> httpx.Response:
            token = agent.tokens.mint("clinic-agent")
            return await client.put(url, json={"ssn": SSN}, headers={"x-aegis-token": token, **headers})

        noted = await put(RECORDS, **{"x-note": f"is {SSN}", "accept-encoding": "gzip", "range": "bytes=0-9"})
        received = mesh.tools.received.pop("/records/p-17")
        addressed = await put(f"http://ehr.example/records/{SSN}")
    assert noted.headers["x-aegis-decision"] == "sanitize"
    assert SSN not in str(received) + noted.text
    headers = received["headers"]
    assert isinstance(headers, dict)
    assert headers["accept-encoding"] == "identity" and "range" not in headers
    assert (addressed.status_code, addressed.headers["x-aegis-decision"]) == (403, "deny")
    record = agent.record(addressed.headers["x-aegis-decision-id"]) or {}
    assert record["path"] == "/records/[REDACTED:us_ssn]"


async def test_the_control_plane_tells_strangers_nothing(mesh: DemoMesh) -> None:
    control = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["control"]
    doors = [("GET", "/v1/approvals"), ("POST", "/v1/approvals/apr_x/approve"), ("POST", "/v1/policies")]
    doors += [("GET", "/bundles/aegis.tar.gz"), ("POST", "/status")]
    async with httpx.AsyncClient(base_url=control, trust_env=False) as client:
        for method, door in doors:
            for bearer in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp4"}):
                assert (await client.request(method, door, headers=bearer)).status_code == 401, door


async def test_secrets_are_in_their_key_files_alone_and_only_the_owner_reads_them(mesh: DemoMesh, agent: Agent) -> None:
    token = agent.tokens.mint("finance-agent")
    await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1}, token=token)
    facts = json.loads((mesh.state / "mesh.json").read_text("utf-8"))
    keys = mesh.state / "keys"
    private = [path for path in keys.iterdir() if path.suffix == ".token" or "PRIVATE" in path.read_text("utf-8")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (keys, Path(facts["run"]), mesh.state / "redis")} == {
        0o700
    }
    assert stat.S_IMODE((mesh.state / "logs").stat().st_mode) == 0o700
    secrets = {token, *(path.read_text("utf-8").strip() for path in private)}
    for path in mesh.state.rglob("*"):
        if path.is_file() and path not in private:
            text = path.read_bytes().decode("utf-8", "replace")
            assert not any(secret in text for secret in secrets), path
    for pid in facts["pids"].values():
        started = Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()
        assert not any(secret in started for secret in secrets), pid


async def _pay_at_once(mesh: DemoMesh, amount: int, headers: list[dict[str, str]]) -> Counter[int]:
    order = {"amount": amount, "payee": "x"}
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False, timeout=10) as client:
        answers = await asyncio.gather(*(client.post(PAYMENTS, json=order, headers=one) for one in headers))
    return Counter(answer.status_code for answer in answers)
