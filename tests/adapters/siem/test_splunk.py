"""Events at Splunk's collector, against one that acknowledges as Splunk documents it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aegis_authz.adapters.siem.http import HttpPoster
from aegis_authz.adapters.siem.splunk import SplunkCollector
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent
from tests.support.siem_receivers import TOKEN, SplunkServer, http_serving

EVENTS = [
    OutgoingEvent("w:1:aa", 1_800_000_000.25, "decision", 4, '{"effect":"deny"}'),
    OutgoingEvent("w:2:bb", 1_800_000_001.0, "decision", 6, "CEF:0|Aegis"),
]


@pytest.fixture
def server() -> Iterator[SplunkServer]:
    server = SplunkServer()
    with http_serving(server):
        yield server


@pytest.fixture
def collector(server: SplunkServer) -> Iterator[SplunkCollector]:
    collector = made(server)
    yield collector
    collector.close()


def made(server: SplunkServer, token: str = TOKEN, ticks: Iterator[float] | None = None) -> SplunkCollector:
    clock = (lambda: next(ticks)) if ticks is not None else lambda: 0.0
    return SplunkCollector(server.url, token, HttpPoster(None), "sec", "mesh-1", True, lambda _: None, clock)


def test_events_arrive_with_their_time_and_as_objects(server: SplunkServer, collector: SplunkCollector) -> None:
    collector.deliver(EVENTS)
    common = {"sourcetype": "aegis:event", "source": "mesh-1", "index": "sec"}
    assert server.taken == [
        {"time": 1_800_000_000.25, **common, "event": {"effect": "deny"}},
        {"time": 1_800_000_001.0, **common, "event": "CEF:0|Aegis"},
    ]


def test_a_batch_is_delivered_only_when_the_indexer_has_it(server: SplunkServer, collector: SplunkCollector) -> None:
    server.looks_until_ack = 3
    collector.deliver(EVENTS)
    assert len(server.taken) == 2


def test_an_indexer_that_never_acknowledges_leaves_the_batch_undelivered(server: SplunkServer) -> None:
    server.looks_until_ack = 1_000_000
    collector = made(server, ticks=iter([0.0, 30.0, 61.0]))
    with pytest.raises(DeliveryFault, match="did not acknowledge within 60 s") as fault:
        collector.deliver(EVENTS)
    collector.close()
    assert not fault.value.is_final and server.taken == []


@pytest.mark.parametrize(
    ("status", "content", "is_final"),
    [
        (503, b'{"text":"Server is busy","code":9}', False),
        (429, b"", False),
        (400, b'{"text":"Invalid data format","code":6}', True),
        (413, b"", True),
        (200, b"<html>a portal</html>", False),
        (200, b"[]", False),
        (200, b'{"text":"Success","code":0}', False),
        (200, b'{"text":"Success","code":0,"ackId":true}', False),
        (200, b'{"text":"no","code":9}', False),
        (302, b"", False),
        (200, b"x" * 70_000, False),
    ],
)
def test_an_answer_that_is_no_success_delivers_nothing(
    server: SplunkServer, collector: SplunkCollector, status: int, content: bytes, is_final: bool
) -> None:
    server.faults.append((status, content))
    with pytest.raises(DeliveryFault) as fault:
        collector.deliver(EVENTS)
    assert fault.value.is_final is is_final and server.taken == []


def test_a_wrong_token_ends_nothing_and_is_in_no_fault(server: SplunkServer) -> None:
    collector = made(server, token="wrong-secret")  # wrong
    with pytest.raises(DeliveryFault, match="403") as fault:
        collector.deliver(EVENTS)
    collector.close()
    assert not fault.value.is_final and "wrong-secret" not in str(fault.value)


def test_a_collector_that_is_away_is_tried_again_later() -> None:
    server = SplunkServer()
    with http_serving(server):
        pass
    collector = made(server)
    with pytest.raises(DeliveryFault, match="cannot be reached") as fault:
        collector.deliver(EVENTS)
    collector.close()
    assert not fault.value.is_final
