"""Events as syslog over TLS, against a receiver that counts octets."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from aegis_authz.adapters.siem.syslog import Syslog
from aegis_authz.ports.receiver import DeliveryFault, OutgoingEvent
from tests.support.authority import Authority
from tests.support.siem_receivers import SyslogServer

EVENT = OutgoingEvent("w:1:aa", 1_800_000_000.25, "decision", 1, '{"tool":"é\\n"}')
LINE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) - \xef\xbb\xbf(.*)",
    re.DOTALL,
)
"""RFC 5424 section 6, with a BOM and without structured data."""


class Stalled:
    """A clock that moves on by a second with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def server() -> Iterator[SyslogServer]:
    server = SyslogServer()
    with server.serving():
        yield server


@pytest.fixture
def syslog(server: SyslogServer) -> Iterator[Syslog]:
    syslog = Syslog("127.0.0.1", server.port, None, "mesh-1")
    yield syslog
    syslog.close()


def test_a_message_is_of_the_form_that_rfc_5424_asks_for(server: SyslogServer, syslog: Syslog) -> None:
    syslog.deliver([EVENT])
    [message] = server.wait_for(1)
    found = LINE.fullmatch(message)
    assert found is not None
    assert found.groups() == (
        b"105", b"2027-01-15T08:00:00.250Z", b"mesh-1", b"aegis", b"-", b"decision", EVENT.text.encode(),
    )  # fmt: skip


def test_events_arrive_in_their_order_on_one_connection(server: SyslogServer, syslog: Syslog) -> None:
    events = [OutgoingEvent(f"w:{number}:aa", 0.0, "decision", 6, str(number)) for number in range(300)]
    syslog.deliver(events[:150])
    syslog.deliver(events[150:])
    assert [int(message.rsplit(b"\xef\xbb\xbf")[1]) for message in server.wait_for(300)] == list(range(300))
    assert server.connections == 1


def test_over_tls_the_receiver_must_be_who_it_says(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = SyslogServer(authority.context(x509.DNSName("localhost")))
    with server.serving():
        trusting = Syslog("localhost", server.port, ssl.create_default_context(cafile=authority.file), "mesh-1")
        trusting.deliver([EVENT, EVENT])
        assert len(server.wait_for(2)) == 2
        trusting.close()
        for syslog in (
            Syslog("localhost", server.port, ssl.create_default_context(), "mesh-1"),
            Syslog("127.0.0.1", server.port, ssl.create_default_context(cafile=authority.file), "mesh-1"),
        ):
            with pytest.raises(DeliveryFault, match="cannot be reached: SSLCertVerificationError"):
                syslog.deliver([EVENT])
            syslog.close()
    assert len(server.messages) == 2


def test_a_connection_that_was_ended_is_made_anew_and_nothing_is_lost(server: SyslogServer, syslog: Syslog) -> None:
    syslog.deliver([EVENT])
    server.wait_for(1)
    server.drop_connections()
    for _ in range(3):  # what was under way when it ended is undelivered, and sent again
        try:
            syslog.deliver([EVENT])
            break
        except DeliveryFault as fault:
            assert not fault.is_final
    assert len(server.wait_for(2)) >= 2
    assert server.connections == 2


def test_a_receiver_that_reads_nothing_has_not_taken_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        syslog = Syslog("127.0.0.1", listener.getsockname()[1], None, "m", lambda _: None, Stalled())
        big = OutgoingEvent("w:1:aa", 0.0, "decision", 6, "x" * 60_000)
        with pytest.raises(DeliveryFault, match="cannot be reached: TimeoutError"):
            syslog.deliver([big] * 4)


def test_an_event_that_no_receiver_takes_is_refused_by_itself(syslog: Syslog) -> None:
    with pytest.raises(DeliveryFault, match="event w:1:aa is longer than 65536 bytes") as fault:
        syslog.deliver([OutgoingEvent("w:1:aa", 0.0, "decision", 6, "x" * 70_000)])
    assert fault.value.is_final
