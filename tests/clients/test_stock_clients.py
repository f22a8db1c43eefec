"""Stock clients that know nothing of Aegis, run by `aegis agent run`: each calls, is denied in words, and calls again.

What they are given is a URL, as they would be given any other. Each request they make carries a proof of its own; the
second of them would be a replay if it did not.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

import pytest

from aegis_authz.demo.mesh import DemoMesh
from tests.clients.conftest import HERE, run_as_agent

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

DENIED = "was refused: Policy does not allow this call."
PROGRAMS = HERE / "programs"
BUSY = ("PDP_TIMEOUT", "STORE_TIMEOUT", "DEADLINE_EXCEEDED", "OVERLOADED")
_TRIES = 3


async def outcome(mesh: DemoMesh, *command: str, cwd: Path | None = None) -> dict[str, str]:
    """What the client's program printed. A machine that is too busy says so, and the program is run again."""
    for _ in range(_TRIES):
        code, printed, complained = await run_as_agent(mesh, *command, cwd=cwd)
        if not any(reason in printed + complained for reason in BUSY):
            break
    assert code == 0, complained
    told: dict[str, str] = json.loads(printed)
    return told


def check(told: dict[str, str], allowed: str) -> None:
    """Allowed, denied in words that a model can act on, and alive after it."""
    assert allowed in told["allowed"]
    assert DENIED in told["denied"]
    assert "Do not retry this call as it is." in told["denied"]
    assert told["again"] == told["allowed"]


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("openai_python.py", "heard: hi"),
        ("stripe_python.py", "Ada"),
        ("slack_python.py", "hi"),
        ("github_python.py", "acme/web"),
    ],
)
async def test_clients_of_apis(mesh: DemoMesh, python: Path, program: str, allowed: str) -> None:
    check(await outcome(mesh, str(python), str(PROGRAMS / program)), allowed)


async def test_the_client_of_stripe_pays_by_a_form_and_uploads_in_parts(mesh: DemoMesh, python: Path) -> None:
    told = await outcome(mesh, str(python), str(PROGRAMS / "stripe_form_python.py"))
    check(told, "4200 o-7 two words & more link")
    digest = hashlib.sha256(b"\0what happened\r\n" * 100).hexdigest()
    assert told["uploaded"] == f"evidence.txt {digest[:8]} dispute_evidence"
    assert DENIED in told["not_uploaded"]


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("openai_https.py", "heard: hi"),
        ("requests_https.py", "acme/web"),
        ("httpx_https.py", "acme/web"),
        ("github_https.py", "acme/web"),
        ("slack_https.py", "hi"),
        ("aiohttp_https.py", "acme/web"),
        ("stripe_https.py", "4200 o-7"),
        ("websockets_https.py", "acme: 42"),
    ],
)
async def test_clients_of_apis_over_https(mesh: DemoMesh, python: Path, program: str, allowed: str) -> None:
    check(await outcome(mesh, str(python), str(PROGRAMS / program)), allowed)


async def test_the_client_of_grpc_is_judged_by_the_fields_of_a_message_and_streams_by_their_head(
    mesh: DemoMesh, python: Path
) -> None:
    told = await outcome(mesh, str(python), str(PROGRAMS / "grpcio_https.py"))
    check(told, "Create: b'\\x08\\xe8 \\x12\\x03EUR'")
    assert told["denied"].startswith("PERMISSION_DENIED")
    assert "stands twice" in told["twice"]
    assert told["talked"] == "heard a, heard b"
    assert "lets no stream of messages to this method pass" in told["collected"]


async def test_the_client_of_s3_puts_an_object_over_https(mesh: DemoMesh, python: Path) -> None:
    told = await outcome(mesh, str(python), str(PROGRAMS / "boto3_https.py"))
    digest = hashlib.sha256(b"\0what happened\n" * 100).hexdigest()
    assert told["allowed"] == told["again"] == f'"2026/a b.bin {digest[:8]}"'
    assert told["denied"] == "403 deny"


async def test_a_client_of_graphql_over_https_and_its_batches(mesh: DemoMesh, python: Path) -> None:
    told = await outcome(mesh, str(python), str(PROGRAMS / "gql_https.py"))
    assert told["allowed"] == told["again"] == "paid 4200"
    assert "403" in told["denied"] and "403" in told["denied_batch"]
    assert json.loads(told["batch"]) == [{"log": True}, {"pay": 4200}]
    assert "400" in told["twice"]


async def test_axios_over_https(mesh: DemoMesh, node: Path) -> None:
    shutil.copy(PROGRAMS / "axios_https.mjs", node)
    check(await outcome(mesh, "node", "axios_https.mjs", cwd=node), "acme/web")


async def test_curl_over_https(mesh: DemoMesh) -> None:
    check(await outcome(mesh, "sh", str(PROGRAMS / "curl_https.sh")), "acme/web")


async def test_fetch_of_node_over_https(mesh: DemoMesh, node: Path) -> None:
    shutil.copy(PROGRAMS / "node_fetch_https.mjs", node)
    check(await outcome(mesh, "node", "node_fetch_https.mjs", cwd=node), "acme/web")


async def test_the_mcp_client_of_python_1(mesh: DemoMesh, python: Path) -> None:
    told = await outcome(mesh, str(python), str(PROGRAMS / "mcp_python_1.py"))
    check(told, "False wrote: hello")
    assert told["denied"].startswith("True ")
    assert told["tools"] == ["write_note"]


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_the_mcp_client_of_python_2(mesh: DemoMesh, mode: str) -> None:
    told = await outcome(mesh, sys.executable, str(PROGRAMS / "mcp_python_2.py"), mode)
    check(told, "False wrote: hello")
    assert told["denied"].startswith("True ")


@pytest.mark.parametrize("program", ["mcp_typescript_1.mjs", "mcp_typescript_2.mjs"])
async def test_the_mcp_clients_of_typescript(mesh: DemoMesh, node: Path, program: str) -> None:
    shutil.copy(PROGRAMS / program, node)  # Node looks for packages where the program is
    told = await outcome(mesh, "node", program, cwd=node)
    check(told, "false wrote: hello")
    assert told["denied"].startswith("true ")


async def test_fetch_of_node(mesh: DemoMesh, node: Path) -> None:
    check(await outcome(mesh, "node", str(PROGRAMS / "node_fetch.mjs"), cwd=node), "acme/web")


async def test_curl(mesh: DemoMesh) -> None:
    check(await outcome(mesh, "sh", str(PROGRAMS / "curl.sh")), "acme/web")
