"""Events as OTLP log records, against a receiver that reads OpenTelemetry's own messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aegis_authz.adapters.siem.http import HttpPoster
from aegis_authz.adapters.siem.otlp_logs import OtlpLogs
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent
from tests.support.siem_receivers import OtlpServer, http_serving

EVENTS = [OutgoingEvent(f"w:{number}:aa", 1_800_000_000.5, "decision", number, '{"a":1}') for number in (6, 5, 4, 1)]


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    server = OtlpServer()
    with http_serving(server):
        yield server


@pytest.fixture
def logs(server: OtlpServer) -> Iterator[OtlpLogs]:
    logs = OtlpLogs(server.url, {"authorization": "Bearer t"}, HttpPoster(None), "mesh-1", "1.0.0")
    yield logs
    logs.close()


def test_each_event_is_a_log_record_of_its_severity(server: OtlpServer, logs: OtlpLogs) -> None:
    logs.deliver(EVENTS)
    [request] = server.taken
    [resource] = request.resource_logs
    records = resource.scope_logs[0].log_records
    assert [record.severity_number for record in records] == [9, 10, 13, 17]
    assert records[0].time_unix_nano == 1_800_000_000_500_000_000 and records[0].body.string_value == '{"a":1}'
    assert {item.key: item.value.string_value for item in resource.resource.attributes} == {
        "service.name": "mesh-1",
        "service.version": "1.0.0",
    }
    assert {item.key: item.value.string_value for item in records[0].attributes} == {
        "event.name": "aegis.decision",
        "log.record.uid": "w:6:aa",
    }


def test_what_the_receiver_rejects_is_refused_for_good(server: OtlpServer, logs: OtlpLogs) -> None:
    server.rejects = 2
    with pytest.raises(DeliveryFault, match="rejected 2 of 4: not these") as fault:
        logs.deliver(EVENTS)
    assert fault.value.is_final


@pytest.mark.parametrize(
    ("status", "content", "is_final"), [(503, b"", False), (200, b"\xff\xff", False), (400, b"", True)]
)
def test_an_answer_that_is_no_success_delivers_nothing(
    server: OtlpServer, logs: OtlpLogs, status: int, content: bytes, is_final: bool
) -> None:
    server.faults.append((status, content))
    with pytest.raises(DeliveryFault) as fault:
        logs.deliver(EVENTS)
    assert fault.value.is_final is is_final and server.taken == []
