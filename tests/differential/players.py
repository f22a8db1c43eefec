"""The ways on which a request of the corpus is sent, byte by byte as it stands there."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.differential.corpus import Case, Way

PATIENCE = 5.0
"""Seconds for an answer; a request that Envoy still waits for has none."""
CLOSED, WAITING = "closed", "no answer"


@dataclass(frozen=True)
class Names:
    """What stands for the words in braces of one sending."""

    host: str
    token: str
    request_id: str
    second_id: str

    def filled(self, text: str) -> str:
        return text.replace("{host}", self.host).replace("{token}", self.token).replace("{second}", self.second_id)

    @property
    def own_lines(self) -> tuple[str, str]:
        return f"x-aegis-token: {self.token}", f"x-request-id: {self.request_id}"


async def play(case: Case, way: Way, names: Names, port: int, trusting: ssl.SSLContext) -> str:
    """Send a case; returns the status of the answer, or that there was none."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                if way == "http2":
                    return await _by_http2(case, names, reader, writer)
                if way == "https":
                    await _open_tunnel(reader, writer, names.host, trusting)
                writer.write(raw_request(case, names))
                await writer.drain()
                return await _status(reader)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return WAITING
    except (asyncio.IncompleteReadError, ConnectionError):
        return CLOSED


async def play_redirected(
    case: Case, way: Way, names: Names, connection: socket.socket, trusting: ssl.SSLContext
) -> str:
    """Send a case on a connection to anywhere, that rules lead to the gateway: for `https` in TLS of its own."""
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(sock=connection)
            try:
                if way == "http2":
                    return await _by_http2(case, names, reader, writer)
                if way == "https":
                    await writer.start_tls(trusting, server_hostname=names.host)
                writer.write(raw_request(case, names))
                await writer.drain()
                return await _status(reader)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return WAITING
    except (asyncio.IncompleteReadError, ConnectionError):
        return CLOSED


def raw_request(case: Case, names: Names) -> bytes:
    """The bytes of a case in HTTP/1.1, with a token and an id of its own behind the request line."""
    filled = [names.filled(line) for line in case.lines]
    first = next(place for place, line in enumerate(filled) if line) + 1
    lines = [*filled[:first], *names.own_lines, *filled[first:]]
    if not case.is_raw:
        lines += [f"content-length: {len(case.body)}"] if case.body else []
        lines += ["", ""]
    return "\r\n".join(lines).encode("latin-1") + case.body


async def _status(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head = await reader.readuntil(b"\r\n\r\n")
    return head.split(b" ", 2)[1].decode()


async def _open_tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, trusting: ssl.SSLContext
) -> None:
    writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
    status = await _status(reader)
    assert status == "200", f"the tunnel was not opened: {status}"
    await writer.start_tls(trusting, server_hostname=host)


def _pairs(case: Case, names: Names) -> list[tuple[str, str]]:
    """The headers of a case in HTTP/2, pseudo headers first."""
    filled = [names.filled(line) for line in case.lines]
    if filled[0].startswith(":"):
        pairs = [_pair(line) for line in filled]
    else:
        method, target, _ = filled[0].split(" ", 2) if filled[0].count(" ") == 2 else _spaced(filled[0])
        lines = [_pair(line) for line in filled[1:] if line]
        host = next((value for name, value in lines if name == "host"), "")
        pseudo = [(":method", method), (":scheme", "http"), (":authority", host), (":path", target)]
        pairs = pseudo + [(name, value) for name, value in lines if name != "host"]
    pairs += [_pair(line) for line in names.own_lines]
    if case.body:
        pairs.append(("content-length", str(len(case.body))))
    return pairs


def _spaced(line: str) -> tuple[str, str, str]:
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    return method, target, version


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line[1:].partition(":") if line.startswith(":") else line.partition(":")
    return (f":{name}" if line.startswith(":") else name), value.removeprefix(" ")


async def _by_http2(case: Case, names: Names, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    config = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _pairs(case, names)]
    connection.send_headers(1, pairs, end_stream=not case.body)
    if case.body:
        connection.send_data(1, case.body, end_stream=True)
    writer.write(connection.data_to_send())
    await writer.drain()
    while data := await reader.read(65_536):
        try:
            events: Sequence[Any] = connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            return CLOSED
        for event in events:
            if isinstance(event, h2.events.ResponseReceived):
                return dict(event.headers)[b":status"].decode()
            if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                return CLOSED
        writer.write(connection.data_to_send())
    return CLOSED
