"""What an agent is not to reach: a host that nobody listed, and a witness who counts what arrives for it.

Run in a network namespace: `python -m aegis_authz.demo.outside DEVICE ADDRESS`. It answers each line with the number of
packets for the address since the line before, and ends with its input.
"""

from __future__ import annotations

import asyncio
import socket
import sys

_EVERY_KIND, _OUTGOING, _IPV4 = 3, 4, b"\x08\x00"  # linux/if_ether.h, linux/if_packet.h
_TCP_PORTS, _UDP_PORTS = (80, 443), (53, 443)
_QUIET = 0.1
"""Seconds after which all that was sent has arrived."""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        if await reader.read(65_536):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
    except OSError:
        writer.transport.abort()
    finally:
        writer.close()


def _witness(device: str) -> socket.socket:
    copies = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_KIND))
    copies.bind((device, 0))
    copies.setblocking(False)
    return copies


async def _packets(copies: socket.socket, address: bytes) -> int:
    await asyncio.sleep(_QUIET)
    packets = 0
    while True:
        try:
            frame, origin = copies.recvfrom(65_536)
        except BlockingIOError:
            return packets
        packets += origin[2] != _OUTGOING and frame[12:14] == _IPV4 and frame[30:34] == address


async def _main(device: str, address: str) -> None:
    for port in _TCP_PORTS:
        await asyncio.start_server(_answer, address, port)
    loop = asyncio.get_running_loop()
    for port in _UDP_PORTS:
        await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(address, port))
    copies = _witness(device)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while await lines.readline():
        sys.stdout.write(f"{await _packets(copies, socket.inet_aton(address))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
