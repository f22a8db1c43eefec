"""Answers that are watched: read to their end, never answered, and all other streams left to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.core.money import Money
from aegis_authz.core.price import ModelPrice, OnError
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId
from aegis_authz.costs.estimate import Estimate, TokenTerms
from aegis_authz.costs.ticket import Ticket, ticket_text
from aegis_authz.costs.usage import Usage
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.usage_streams import MOST_WATCHED, UsageWatch
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE, read_piece

TERMS = TokenTerms(ModelPrice("USD", 1, 1, 1, 2, None, 7), 10, 20)
TICKET = Ticket(
    Scope("acme", "emea", "bot"), Estimate(Money(42, "USD"), OnError.RELEASE, TERMS), True, False, ApprovalId("")
)
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
USED = b'{"usage":{"prompt_tokens":3,"completion_tokens":2}}'


@dataclass
class Ledger:
    """Keeps what it is told."""

    usages: list[tuple[str, Usage | None]] = field(default_factory=list)

    async def measure(
        self, decision_id: str, ticket: Ticket, estimate: Estimate, usage: Usage | None, trace: str
    ) -> None:
        assert (ticket, estimate, trace) == (TICKET, TICKET.estimate, TRACE)
        self.usages.append((decision_id, usage))


def head(
    status: str = "200",
    kind: str = "application/json",
    observed: bool = True,
    cost: str = ticket_text(TICKET),
    **more: str,
) -> bytes:
    request = pb.ProcessingRequest(observability_mode=observed)
    for name, value in {":status": status, "content-type": kind, **more}.items():
        request.response_headers.headers.headers.add(key=name.replace("_", "-"), raw_value=value.encode())
    fields = request.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    fields["decision_id"].string_value = "d-1"
    fields["cost"].string_value = cost
    fields["trace"].string_value = TRACE
    return request.SerializeToString()


def body(data: bytes, end: bool = True) -> bytes:
    return pb.ProcessingRequest(
        response_body=pb.HttpBody(body=data, end_of_stream=end), observability_mode=True
    ).SerializeToString()


async def stream(*messages: bytes) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def watch(answers: UsageWatch, messages: AsyncIterator[bytes]) -> None:
    await answers.watch(read_piece(await anext(messages)), messages)


async def watched(*messages: bytes) -> list[tuple[str, Usage | None]]:
    ledger = Ledger()
    await watch(UsageWatch(ledger), stream(*messages))
    return ledger.usages


async def test_an_answer_is_read_to_its_end_and_never_answered() -> None:
    assert await watched(head(), body(USED[:9], False), body(USED[9:])) == [("d-1", Usage(3, 0, 0, 2))]
    events = b"data: " + USED + b"\n\n"
    assert await watched(head(kind="text/event-stream; charset=utf-8"), body(events)) == [("d-1", Usage(3, 0, 0, 2))]


async def test_an_answer_without_a_usage_says_so() -> None:
    assert await watched(head(), body(b"{}")) == [("d-1", None)]


@pytest.mark.parametrize(
    "first",
    [head("500"), head("429"), head("304"), head(cost="{}"), head(cost="")],
)
async def test_what_is_no_answer_of_a_model_is_left_alone(first: bytes) -> None:
    assert await watched(first, body(USED)) == []


@pytest.mark.parametrize("first", [head(kind="text/html"), head(content_encoding="gzip")])
async def test_an_answer_that_cannot_be_read_tells_no_usage(first: bytes) -> None:
    assert await watched(first, body(USED)) == [("d-1", None)]


async def test_an_answer_that_is_cut_off_tells_no_usage() -> None:
    assert await watched(head(), body(USED, False)) == [("d-1", None)]


async def test_no_more_than_so_many_answers_are_read_at_once() -> None:
    ledger, over = Ledger(), asyncio.Event()
    answers = UsageWatch(ledger)

    async def slow() -> AsyncIterator[bytes]:
        yield head()
        begun.release()
        await over.wait()
        yield body(USED)

    begun = asyncio.Semaphore(0)
    watching = [asyncio.create_task(watch(answers, slow())) for _ in range(MOST_WATCHED)]
    for _ in watching:
        await begun.acquire()
    await watch(answers, stream(head(), body(USED)))
    assert ledger.usages == [("d-1", None)]
    over.set()
    await asyncio.gather(*watching)
    await watch(answers, stream(head(), body(USED)))
    assert ledger.usages[1:] == [("d-1", Usage(3, 0, 0, 2))] * (MOST_WATCHED + 1)


async def test_a_message_that_is_none_ends_its_stream_in_an_error() -> None:
    ledger = Ledger()
    with pytest.raises(StreamAborted):
        await watch(UsageWatch(ledger), stream(head(), b"\xff\xff"))
    assert ledger.usages == [("d-1", None)]
