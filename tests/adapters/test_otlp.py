"""Both transports against receivers that follow OTLP's specification."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aegis_authz.adapters.otlp import Collector, Protocol, sender_of
from aegis_authz.adapters.span_queue import ExportFailed
from aegis_authz.core.units import Seconds
from aegis_authz.telemetry.otlp import export_request, rejected_spans, resource_frame
from tests.support.authority import Authority
from tests.support.otlp_collector import Receiver, grpc_collector, http_collector

REQUEST = export_request(resource_frame({"service.name": "s"}), "aegis", [Span(name="n").SerializeToString()])
PATIENCE = Seconds(10.0)
Opening = Callable[[], AbstractContextManager[tuple[Receiver, str]]]
BOTH = pytest.mark.parametrize(
    ("protocol", "opening"), [(Protocol.GRPC, grpc_collector), (Protocol.HTTP, http_collector)]
)


def collector(url: str, protocol: Protocol) -> Collector:
    return Collector(url, protocol, {"X-Api-Key": "secret"}, None, None, None)


def once(place: Collector, timeout: Seconds = PATIENCE) -> int:
    """One request on a connection of its own."""
    with closing(sender_of(place, rejected_spans)) as sender:
        return sender(REQUEST, timeout)


@BOTH
def test_a_request_arrives_whole_with_its_headers(protocol: Protocol, opening: Opening) -> None:
    with opening() as (receiver, url):
        sender = sender_of(collector(url, protocol), rejected_spans)
        assert [sender(REQUEST, PATIENCE), sender(REQUEST, PATIENCE)] == [0, 0]
        sender.close()
    assert [span.name for span in receiver.spans] == ["n", "n"]
    assert [headers["x-api-key"] for headers in receiver.headers] == ["secret", "secret"]
    if protocol is Protocol.HTTP:
        assert receiver.headers[0][":path"] == "/v1/traces"
        assert receiver.headers[0]["content-type"] == "application/x-protobuf"


@BOTH
def test_spans_that_a_collector_rejects_are_told(protocol: Protocol, opening: Opening) -> None:
    with opening() as (receiver, url):
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 1
        receiver.answers.append(answer)
        assert once(collector(url, protocol)) == 1


@pytest.mark.parametrize(
    ("answer", "is_transient"),
    [
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, True),
        (grpc.StatusCode.INVALID_ARGUMENT, False),
        (grpc.StatusCode.UNAUTHENTICATED, False),
        (grpc.StatusCode.UNIMPLEMENTED, False),
    ],
)
def test_grpc_statuses_are_tried_again_as_the_specification_says(answer: grpc.StatusCode, is_transient: bool) -> None:
    with grpc_collector() as (receiver, url):
        receiver.answers.append(answer)
        with pytest.raises(ExportFailed, match=answer.name) as failure:
            once(collector(url, Protocol.GRPC))
    assert (failure.value.wait is not None) is is_transient


@pytest.mark.parametrize(
    ("answer", "retry_after", "wait"),
    [
        *((503, "", 0.0), (429, "7", 7.0), (503, "Wed, 21 Oct 2026 07:28:00 GMT", 0.0), (429, "-5", 0.0)),
        *((429, "99999", 30.0), (400, "7", None), (401, "", None), (404, "", None), (500, "", None)),
    ],
)
def test_http_statuses_are_tried_again_as_the_specification_says(
    answer: int, retry_after: str, wait: float | None
) -> None:
    with http_collector() as (receiver, url):
        receiver.answers.append(answer)
        receiver.retry_after = retry_after
        sender = sender_of(collector(url, Protocol.HTTP), rejected_spans)
        with pytest.raises(ExportFailed, match=str(answer)) as failure:
            sender(REQUEST, PATIENCE)
        assert failure.value.wait == wait
        assert sender(REQUEST, PATIENCE) == 0
        sender.close()


@pytest.mark.parametrize("protocol", Protocol)
def test_a_collector_that_is_away_is_tried_again(protocol: Protocol) -> None:
    with socket.socket() as away:
        away.bind(("127.0.0.1", 0))
        with pytest.raises(ExportFailed) as failure:
            once(collector(f"http://127.0.0.1:{away.getsockname()[1]}", protocol), Seconds(2.0))
    assert failure.value.wait == 0.0


@BOTH
def test_a_collector_that_does_not_answer_is_given_up_after_the_timeout(protocol: Protocol, opening: Opening) -> None:
    with opening() as (receiver, url):
        receiver.gate.clear()
        with pytest.raises(ExportFailed) as failure:
            once(collector(url, protocol), Seconds(0.2))
        assert failure.value.wait == 0.0


def test_what_answers_and_is_no_collector_is_not_tried_again() -> None:
    with http_collector() as (receiver, url):
        receiver.answers.append(ExportTraceServiceResponse())
        sender = sender_of(collector(url, Protocol.HTTP), lambda _: int("nonsense"))
        with pytest.raises(ExportFailed, match="not that of a collector") as failure:
            sender(REQUEST, PATIENCE)
        sender.close()
    assert failure.value.wait is None


@BOTH
def test_tls_is_verified_by_the_authority_that_is_named(
    protocol: Protocol, opening: Callable[..., AbstractContextManager[tuple[Receiver, str]]], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    pair = authority.leaf("collector", x509.DNSName("localhost"))
    with opening(certificate=(pair, pair)) as (receiver, url):
        trusting = replace(collector(url, protocol), ca=authority.file)
        assert once(trusting) == 0
        with pytest.raises(ExportFailed):
            once(collector(url, protocol), Seconds(3.0))
    assert len(receiver.spans) == 1


def test_a_certificate_is_shown_to_a_collector_that_wants_to_see_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, own = authority.leaf("collector", x509.DNSName("localhost")), authority.leaf("own", x509.DNSName("aegis"))
    with grpc_collector((pair, pair), authority.file) as (receiver, url):
        trusting = replace(collector(url, Protocol.GRPC), ca=authority.file)
        assert once(replace(trusting, certificate=own, key=own)) == 0
        with pytest.raises(ExportFailed):
            once(trusting, Seconds(3.0))
    assert len(receiver.spans) == 1


def test_a_file_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        sender_of(replace(collector("https://localhost:1", Protocol.GRPC), ca=tmp_path / "missing.pem"), rejected_spans)
