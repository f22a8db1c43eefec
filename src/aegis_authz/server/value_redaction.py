"""Arguments and results of functions, redacted and recorded as the bodies of requests and responses are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import orjson

from aegis_authz.core.decision import Obligation, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.ports.data_plane import Clock, RecordLog
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.server.ext_proc import DONE, THREAD_FROM, WORK_SECONDS, Allowance

_log = logging.getLogger(__name__)


class ValueRedactor:
    """Meets what obligations demand of one value. With `require_record` nothing leaves that is not on record."""

    def __init__(self, records: RecordLog, clock: Clock, *, require_record: bool, work: float = WORK_SECONDS) -> None:
        self._records = records
        self._clock = clock
        self._require_record = require_record
        self._work = work

    async def redacted(self, decision_id: str, obligations: Sequence[Obligation], target: Target, value: Json) -> Json:
        """The value with nothing in it that must be redacted.

        A text is redacted as a body that holds it would be, everything else as JSON. Raises Refused where it cannot be
        looked at, takes too long, or is not recorded.
        """
        allowance = Allowance(self._clock, self._work)
        allowance.renew()
        sanitizer = Sanitizer(obligations, target, False, None, allowance.tick)
        try:
            async with asyncio.timeout(self._work):
                data = value.encode("utf-8") if isinstance(value, str) else orjson.dumps(value)
                if len(data) > THREAD_FROM:
                    output = await asyncio.to_thread(_rewritten, sanitizer, value, data)
                else:
                    output = _rewritten(sanitizer, value, data)
                await self._record(decision_id, target, sanitizer, DONE)
                return output
        except (Refused, TimeoutError) as fault:
            refusal = fault if isinstance(fault, Refused) else Refused(Reason.DEADLINE_EXCEEDED, "it took too long")
            if refusal.reason is not Reason.RECORD_FAILED:
                await self._record(decision_id, target, sanitizer, f"withheld: {refusal}")
            raise refusal from None

    async def _record(self, decision_id: str, target: Target, sanitizer: Sanitizer, outcome: str) -> None:
        record = RedactionRecord(decision_id, self._clock.now(), target.value, sanitizer.counts, outcome)
        try:
            await self._records.append(record)
        except Refused as refused:
            _log.error("a redaction record could not be written: %s", refused)
            if self._require_record and outcome == DONE:
                raise


def _rewritten(sanitizer: Sanitizer, value: Json, data: bytes) -> Json:
    if isinstance(value, str):
        return sanitizer.text(data).decode("utf-8")
    return strict_json.parse(sanitizer.json(data))
