"""While the costliest bodies are redacted, the event loop answers all else in time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.adapters.system import SystemClock
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.server.ext_proc import BodyHandler
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE
from tests.redact.worst_bodies import WORST
from tests.server.test_ext_proc import Records, body, head

SIZE = 1024 * 1024
WORK_SECONDS = 1.8
BODIES = (WORST[0], WORST[2], WORST[5], WORST[14], WORST[20], WORST[21])
LONGEST_SECONDS = 1.2
"""Of one pause of the loop, on a busy machine; each body takes up to WORK_SECONDS beside it."""


def opening() -> bytes:
    message = pb.ProcessingRequest()
    message.ParseFromString(head({":status": "200", "content-type": "text/plain"}))
    message.protocol_config.response_body_mode = 4  # FULL_DUPLEX_STREAMED
    redact = [{"kind": "redact", "target": "response", "detectors": list(DETECTORS), "fields": []}]
    texts = {"decision_id": "d-1", "obligations": json.dumps(redact), "rpc_id": "", "rpc_method": ""}
    for name, text in texts.items():
        message.metadata_context.filter_metadata[METADATA_NAMESPACE].fields[name].string_value = text
    return bytes(message.SerializeToString())


async def longest_pause(stop: asyncio.Event) -> float:
    longest = 0.0
    while not stop.is_set():
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
    return longest


async def test_the_loop_never_waits_for_the_worst_bodies_on_two_connections() -> None:
    records = Records()
    handler = BodyHandler(records, SystemClock(), require_record=True, idle=30.0, work=WORK_SECONDS)

    async def connection(turn: int) -> None:
        for genome in BODIES[turn::2]:
            data = genome.body(SIZE)

            async def messages(data: bytes = data) -> AsyncIterator[bytes]:
                yield opening()
                for place in range(0, SIZE, 65536):
                    yield body(data[place : place + 65536], end=place + 65536 >= SIZE)

            async for _ in handler.process(messages()):
                pass

    stop = asyncio.Event()
    pause = asyncio.create_task(longest_pause(stop))
    await asyncio.gather(connection(0), connection(1))
    stop.set()
    assert await pause < LONGEST_SECONDS
    # each was redacted whole, or withheld for its time: none passed as it was, none was forgotten
    assert len(records.kept) == len(BODIES)
    for record in records.kept:
        assert record.outcome == "done" or record.outcome.startswith("withheld: DEADLINE_EXCEEDED")
