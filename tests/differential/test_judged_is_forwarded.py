"""What is judged is what is forwarded: odd requests as raw bytes through the real Envoy, to tools that read liberally.

Of each request either nothing arrives, or exactly what was judged does: method, path and query, host, the headers that
count, and the SHA-256 of the body; and no reader finds another value in it than policy was shown.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import brotli
import pytest
import zstandard

from aegis_authz.core.call import CallKind
from tests.differential import readings
from tests.differential.conftest import NAIVE, RPC, STRICT, Gate
from tests.differential.corpus import Case, Way, cases
from tests.differential.judge import Judgement
from tests.differential.page import page_text
from tests.differential.players import CLOSED, WAITING, Names, play
from tests.differential.recorders import Receipt

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "judged-is-forwarded.md"
CASES = cases()
LEAST_CASES = 400
HOSTS: dict[Way, tuple[str, ...]] = {"http1": (STRICT, NAIVE), "http2": (NAIVE,), "https": (STRICT,)}
SINGLE = ("content-type", "content-length", "transfer-encoding", "host", "x-request-id")
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "br": brotli.decompress,
    "deflate": zlib.decompress,
    "gzip": gzip.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
KEPT_BACK = (
    "x-aegis-",
    "x-envoy-",
    "x-forwarded-",
    "proxy-",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
)
"""What no tool gets: words of the mesh, and what some framework takes for another method, path or caller."""


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_what_arrives_is_what_was_judged(
    case: Case, gate: Gate, outcomes: dict[tuple[str, str], dict[str, str]]
) -> None:
    problems: list[str] = []
    results: dict[str, str] = {}
    for way in case.ways:
        for host in (RPC,) if case.is_message else HOSTS[way]:
            names = Names(host, gate.judge.token(), str(uuid.uuid4()), str(uuid.uuid4()))
            status = await play(case, way, names, gate.port, gate.trusting)
            receipts = [
                await receipt_of(gate, host, request_id, status) for request_id in (names.request_id, names.second_id)
            ]
            judgements = [
                gate.judge.judgements.get(request_id, []) for request_id in (names.request_id, names.second_id)
            ]
            for receipt, judged in zip(receipts, judgements, strict=True):
                problems += [f"{way} to {host}: {problem}" for problem in check(gate, host, receipt, judged)]
            results.setdefault(way, outcome(status, receipts[0], judgements[0]))
    outcomes[case.family, case.sentence] = results
    assert problems == []


async def receipt_of(gate: Gate, host: str, request_id: str, status: str) -> list[Receipt]:
    """What arrived under an id. An answer comes after the request arrived, so there is nothing to wait for."""
    return [receipt for receipt in gate.tools[host].receipts if request_id in receipt.all("x-request-id")]


def check(gate: Gate, host: str, receipts: list[Receipt], judgements: list[Judgement]) -> Iterator[str]:
    """What differs between what arrived and what was judged; nothing where nothing arrived."""
    if not receipts:
        return
    allowed = [judgement for judgement in judgements if judgement.is_allowed]
    if len(receipts) != 1 or len(allowed) != 1 or len(judgements) != 1:
        yield f"{len(receipts)} arrived, {len(judgements)} were judged, {len(allowed)} of them allowed"
        return
    receipt, judgement = receipts[0], allowed[0]
    pairs = {
        "method": (judgement.method, receipt.method),
        # uvicorn tells nobody of a question mark with nothing behind it
        "target": (judgement.target.removesuffix("?"), receipt.target.removesuffix("?")),
        "host": ([judgement.host], receipt.all("host")),
        "body": (digest(content_of(judgement)), digest(receipt.body)),
    }
    yield from (f"{name}: judged {was!r}, arrived {now!r}" for name, (was, now) in pairs.items() if was != now)
    if receipt.all("content-encoding") not in ([], ["identity"]):
        yield f"it arrived encoded: {receipt.all('content-encoding')}"
    for name in SINGLE:
        if len(receipt.all(name)) > 1:
            yield f"{name} arrived {len(receipt.all(name))} times"
    yield from (f"{name} arrived" for name, _ in receipt.headers if name.startswith(KEPT_BACK))
    call = judgement.call
    if call is None or call.kind is not CallKind.ACTION:
        yield "it was allowed without being read as an action"
        return
    if call.content_type and receipt.all("content-type") != [call.content_type]:
        yield f"content-type: judged {call.content_type!r}, arrived {receipt.all('content-type')}"
    tool = gate.judge.catalogue.by_name[call.tool]
    if tool.host != host:
        yield f"judged as a call of {tool.host}"
    action = next(action for action in tool.actions if action.name == call.action)
    yield from readings.differences(action, call.parameters, receipt)


def content_of(judgement: Judgement) -> bytes:
    """The body as a tool must get it: decoded by readers that are not ours."""
    coding = next((value for name, value in judgement.headers if name == "content-encoding"), "identity")
    return DECODERS[coding](judgement.body)


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def outcome(status: str, receipts: list[Receipt], judgements: list[Judgement]) -> str:
    if receipts:
        return "forwarded"
    if judgements:
        return f"{status} `{judgements[0].reason}`"
    return status if status in (CLOSED, WAITING) else f"{status} by Envoy"


async def test_nothing_arrived_that_was_not_judged(gate: Gate, outcomes: dict[tuple[str, str], dict[str, str]]) -> None:
    arrived = Counter(
        value for tool in gate.tools.values() for receipt in tool.receipts for value in receipt.all("x-request-id")
    )
    allowed = Counter(
        {
            request_id: sum(judgement.is_allowed for judgement in judgements)
            for request_id, judgements in gate.judge.judgements.items()
        }
    )
    assert sum(len(tool.receipts) for tool in gate.tools.values()) == arrived.total()
    assert arrived - allowed == Counter()
    assert arrived.total() > len(outcomes) / 4, "hardly anything arrived: this would prove nothing"


async def test_there_are_as_many_cases_as_were_promised() -> None:
    assert len(CASES) >= LEAST_CASES
    assert len({case.name for case in CASES}) == len(CASES)


async def test_the_page_says_what_became_of_each(outcomes: dict[tuple[str, str], dict[str, str]]) -> None:
    if len(outcomes) < len(CASES):
        pytest.skip("the page is of a whole run")
    text = page_text(outcomes)
    if os.environ.get("AEGIS_WRITE_DOCS"):
        PAGE.write_text(text, "utf-8")
    assert PAGE.read_text("utf-8") == text, "run: make docs-judged"
