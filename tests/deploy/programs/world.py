"""The world outside: listens on its addresses and writes down what reaches it, a line for each."""

from __future__ import annotations

import json
import selectors
import socket
import sys

ADDRESSES, LOG = json.loads(sys.argv[1]), open(sys.argv[2], "a", buffering=1, encoding="utf-8")  # noqa: SIM115
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nleaked"


def main() -> None:
    selector = selectors.DefaultSelector()
    for kind, host, port in ADDRESSES:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        place = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind((host, port))
        if kind == "tcp":
            place.listen()
        selector.register(place, selectors.EVENT_READ, kind)
    LOG.write("ready\n")
    while True:
        for key, _ in selector.select():
            hear(key.fileobj, key.data)


def hear(place: socket.socket, kind: str) -> None:
    try:
        if kind == "tcp":
            peer, source = place.accept()
            with peer:
                peer.settimeout(2)
                LOG.write(f"tcp {source[0]} {peer.recv(2000)!r}\n")
                peer.sendall(ANSWER)
        else:
            data, source = place.recvfrom(2000)
            LOG.write(f"udp {source[0]} {data!r}\n")
            place.sendto(b"leaked", source)
    except OSError as fault:
        LOG.write(f"{kind} {fault!r}\n")


main()
