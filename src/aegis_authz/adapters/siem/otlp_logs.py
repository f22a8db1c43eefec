"""Events as OTLP log records over HTTP (opentelemetry.io/docs/specs/otlp), for a Collector and what is behind it.

Import only where events are sent so: xds-protos ships older copies of OpenTelemetry's messages under the same names.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from aegis_authz.adapters.siem.http import HttpPoster
from aegis_authz.core.json_value import Json
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent

_SEVERITIES = {
    6: SeverityNumber.SEVERITY_NUMBER_INFO,
    5: SeverityNumber.SEVERITY_NUMBER_INFO2,
    4: SeverityNumber.SEVERITY_NUMBER_WARN,
    1: SeverityNumber.SEVERITY_NUMBER_ERROR,
}
"""OpenTelemetry's numbers for the severities of syslog that events have."""


class OtlpLogs:
    """Log records to `<url>/v1/logs`; `service` is the `service.name` of their resource."""

    def __init__(self, url: str, headers: dict[str, str], poster: HttpPoster, service: str, version: str) -> None:
        self._url = f"{url.rstrip('/')}/v1/logs"
        self._headers = {**headers, "content-type": "application/x-protobuf"}
        self._poster = poster
        self._resource = Resource(attributes=[_text("service.name", service), _text("service.version", version)])
        self._scope = InstrumentationScope(name="aegis_authz.export", version=version)

    def deliver(self, events: Sequence[OutgoingEvent]) -> None:
        """Send all of them in one request. Raises DeliveryFault, also for those that the answer calls rejected."""
        scope_logs = ScopeLogs(scope=self._scope, log_records=[_record(event) for event in events])
        request = ExportLogsServiceRequest(
            resource_logs=[ResourceLogs(resource=self._resource, scope_logs=[scope_logs])]
        )
        content = self._poster.post(self._url, request.SerializeToString(), self._headers)
        try:
            answer = ExportLogsServiceResponse.FromString(content)
        except DecodeError:
            raise DeliveryFault("answered no message of OTLP", is_final=False) from None
        if answer.partial_success.rejected_log_records:
            raise DeliveryFault(
                f"rejected {answer.partial_success.rejected_log_records} of {len(events)}: "
                f"{answer.partial_success.error_message[:200]}",
                is_final=True,
            )

    def close(self) -> None:
        """Close the connections."""
        self._poster.close()


def _record(event: OutgoingEvent) -> LogRecord:
    moment = max(0, int(event.time * 1_000_000_000))
    return LogRecord(
        time_unix_nano=moment,
        observed_time_unix_nano=moment,
        severity_number=_SEVERITIES[event.severity],
        body=AnyValue(string_value=event.text),
        attributes=[_text("event.name", f"aegis.{event.kind}"), _text("log.record.uid", event.id)],
    )


def _text(name: str, value: Json) -> KeyValue:
    return KeyValue(key=name, value=AnyValue(string_value=str(value)))
