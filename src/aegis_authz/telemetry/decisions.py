"""The telemetry of a decision and of its settlement: its count, its times, its spans."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.grouped import Later
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.spans import DecisionSpans

_log = logging.getLogger(__name__)
_GROUP = 32
"""Decisions that are told of together: some hundred microseconds in which the loop does nothing else."""
_TELL_AFTER = 0.1
"""Seconds that a decision waits for others at most: with `WRITE_AFTER` half a second until its count is seen."""


class DecisionTelemetry:
    """`ports.Telemetry` and `ports.SettlementTelemetry`.

    `spans` is None where nobody collects them. Decisions are told of in groups, when `later` calls back: code that runs
    once between two other calls is found in no cache of the processor, and in a group it costs a fraction. `end`
    exports what waits.
    """

    def __init__(
        self, metrics: DecisionMetrics, spans: DecisionSpans | None, later: Later, end: Callable[[], None]
    ) -> None:
        self._metrics = metrics
        self._spans = spans
        self._later = later
        self._end = end
        self._waiting: deque[tuple[DecisionRecord, DecisionTrace]] = deque()
        self._is_due = False

    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        """Count the decision and emit its spans, in a moment."""
        waiting = self._waiting
        waiting.append((record, trace))
        if len(waiting) == _GROUP:
            self._later(0.0, self._tell)  # not here: this call waits for its answer
        elif not self._is_due:
            self._is_due = True
            self._later(_TELL_AFTER, self._ring)

    def _ring(self) -> None:
        self._is_due = False
        self._tell()

    def _tell(self) -> None:
        waiting, spans, metrics = self._waiting, self._spans, self._metrics
        while waiting:
            record, trace = waiting.popleft()
            try:
                metrics.count(record, spans.emit(record, trace) if spans is not None else "")
            except Exception:  # noqa: BLE001  # a bug: of those behind it nothing is lost
                _log.exception("decision %s is not in all figures, or has no span", record.decision_id)

    def refused(self, refusal: UnrecordedRefusal) -> None:
        """Count a refusal that is on no record of its own, and has no spans."""
        self._metrics.count_refusal(refusal)

    def settled(self, call: SettledCall) -> None:
        """Emit the span of a settled cost."""
        if self._spans is not None:
            self._spans.emit_settled(call)

    def close(self) -> None:
        """Write and export what waits."""
        self._tell()
        self._metrics.write()
        self._end()
