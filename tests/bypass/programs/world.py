"""What is outside: a tool, hosts that nobody listed, and a witness of every frame that arrives.

Run in the namespace of the world. Reads a line from standard input and answers it with a line of JSON: for `seen`, every
frame since the line before, in hex; for `dial`, what a connection to an address and port inside gave. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from typing import cast

ETH_P_ALL = 3
OUTGOING = 4
EVIL_TCP, EVIL_UDP = (22, 53, 80, 443, 8080, 8443, 9999, 15001), (53, 123, 443, 9999)
QUIET = 0.06  # seconds without a frame after which all that was sent is here
DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"


class Echo(asyncio.DatagramProtocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        self.transport.sendto(data, peer)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer whatever comes, with a body that says whose it is."""
    host = writer.get_extra_info("sockname")[0]
    body = b"tool" if host == sys.argv[3] else b"evil"
    try:
        while await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n" + body)
            await writer.drain()
    except OSError:
        writer.transport.abort()
    finally:
        writer.close()


def witness(device: str) -> socket.socket:
    """A socket that gets a copy of each frame of the device."""
    copies = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    copies.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024 * 1024)
    copies.bind((device, 0))
    copies.setblocking(False)
    return copies


async def seen(copies: socket.socket) -> list[str]:
    """The frames that arrived since this was asked before."""
    await asyncio.sleep(QUIET)
    frames: list[str] = []
    while True:
        try:
            frame, address = copies.recvfrom(65_536)
        except BlockingIOError:
            return frames
        if address[2] != OUTGOING:
            frames.append(frame.hex())


async def dial(host: str, port: int) -> str:
    """What a connection into the pod gave."""
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"hello")
            answer = await reader.read(64)
            writer.close()
            return answer.decode("latin-1")
    except (OSError, TimeoutError) as fault:
        return type(fault).__name__


async def main() -> None:
    """`world.py DEVICE CERTIFICATE TOOL EVIL...`"""
    device, certificate, tool, *evil = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    await asyncio.start_server(serve, tool, 9001)
    await asyncio.start_server(serve, tool, 9443, ssl=context)
    loop = asyncio.get_running_loop()
    for host in evil:
        for port in EVIL_TCP:
            await asyncio.start_server(serve, host, port)
        for port in EVIL_UDP:
            await loop.create_datagram_endpoint(Echo, local_addr=(host, port))
    copies = witness(device)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(json.dumps("ready"), flush=True)
    while line := await lines.readline():
        word, *rest = line.split()
        answer = await seen(copies) if word == b"seen" else await dial(rest[0].decode(), int(rest[1]))
        print(json.dumps(answer), flush=True)


asyncio.run(main())
