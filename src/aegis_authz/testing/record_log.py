"""The record log's twin in memory, for tests: the same chain and the same refusals, and nothing durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.chain import encode_record, genesis, link, require_writer
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint
from aegis_authz.testing.warning import warn_outside_tests

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))  # protects nothing; a twin needs no secret


class MemoryRecordLog:
    """`ports.RecordLog` in memory. `records` holds what was appended, `lines` its chain, `note` its seal.

    Setting `failing` to a text refuses every append with it, until it is "" again.
    """

    def __init__(
        self, writer: str = "memory", signing_key: Ed25519PrivateKey = _KEY, *, for_tests: bool = False
    ) -> None:
        warn_outside_tests(self, for_tests)
        self.records: list[Record] = []
        self.lines: list[bytes] = []
        self.failing = ""
        self.ready = False
        self._writer = require_writer(writer)
        self._key = signing_key
        self._public_key = signing_key.public_key().public_bytes_raw()
        self._head = genesis(writer, self._public_key)

    async def start(self) -> None:
        """Accept appends."""
        self.ready = True

    async def close(self) -> None:
        """Refuse appends from now on."""
        self.ready = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def trouble(self) -> str:
        """Why the next append will fail, "" when it will not."""
        return self.failing if self.ready else "the record log is closed"

    @property
    def note(self) -> bytes:
        """The signed checkpoint of everything appended."""
        return sign_checkpoint(Checkpoint(self._writer, len(self.lines), self._head), self._key, self._public_key)

    async def append(self, record: Record) -> None:
        """Keep the record.

        Raises Refused(RECORD_FAILED) when closed or `failing`, or for a record without JSON form.
        """
        if self.trouble:
            raise Refused(Reason.RECORD_FAILED, self.trouble)
        try:
            encoded = encode_record(record)
        except ValueError as fault:
            raise Refused(Reason.RECORD_FAILED, str(fault)) from fault
        self._keep(record, encoded)
        await asyncio.sleep(0)

    async def append_all(self, records: Sequence[Record]) -> None:
        """Keep all of them, or none: raises as `append` does."""
        if self.trouble:
            raise Refused(Reason.RECORD_FAILED, self.trouble)
        try:
            encoded = [*map(encode_record, records)]
        except ValueError as fault:
            raise Refused(Reason.RECORD_FAILED, str(fault)) from fault
        for record, members in zip(records, encoded, strict=True):
            self._keep(record, members)
        await asyncio.sleep(0)

    def _keep(self, record: Record, encoded: bytes) -> None:
        line, self._head = link(self._writer, len(self.lines) + 1, self._head, encoded)
        self.lines.append(line)
        self.records.append(record)
