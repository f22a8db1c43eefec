"""Envoy's access log messages: what is read of an entry, and what is passed over."""

from __future__ import annotations

import pytest
from envoy.service.accesslog.v3 import als_pb2
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.access_log import LogEntry, read_log
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE


def log(**noted: str) -> als_pb2.StreamAccessLogsMessage:
    message = als_pb2.StreamAccessLogsMessage()
    entry = message.http_logs.log_entry.add()
    common = entry.common_properties
    for name, value in noted.items():
        common.metadata.filter_metadata[METADATA_NAMESPACE].fields[name].string_value = value
    common.start_time.seconds = 1_800_000_000
    common.duration.nanos = 500_000_000
    common.time_to_first_upstream_tx_byte.nanos = 100_000_000
    common.time_to_first_upstream_rx_byte.nanos = 350_000_000
    common.response_flags.upstream_remote_reset = True
    entry.request.request_body_bytes = 10
    entry.response.response_code.value = 200
    entry.response.response_code_details = "via_upstream"
    entry.response.response_body_bytes = 20
    return message


def test_an_entry_is_read_whole() -> None:
    (entry,) = read_log(log(decision_id="d-1", cost="{}", trace="00-a-b-01").SerializeToString())
    assert entry == LogEntry(
        "d-1",
        "{}",
        "00-a-b-01",
        1_800_000_000.5,
        200,
        "via_upstream",
        ("upstream_remote_reset",),
        True,
        10,
        20,
        250.0,
        500.0,
    )


def test_an_entry_without_an_answer_says_so() -> None:
    message = log(decision_id="d-1")
    entry = message.http_logs.log_entry[0]
    entry.response.Clear()
    for name in ("time_to_first_upstream_tx_byte", "time_to_first_upstream_rx_byte", "response_flags"):
        entry.common_properties.ClearField(name)
    (read,) = read_log(message.SerializeToString())
    assert (read.status, read.was_reached, read.upstream_ms, read.flags, read.cost) == (0, False, None, (), "")
    assert read.trace == ""


@pytest.mark.parametrize("noted", [{}, {"decision_id": ""}, {"cost": "{}"}])
def test_an_entry_without_a_decision_is_passed_over(noted: dict[str, str]) -> None:
    assert read_log(log(**noted).SerializeToString()) == []


@given(st.binary(max_size=200))
def test_any_bytes_are_entries_or_refused(message: bytes) -> None:
    try:
        read_log(message)
    except Refused:
        return
