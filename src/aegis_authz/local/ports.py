"""Ports for a mesh: those asked for, or ones found free."""

from __future__ import annotations

import socket
from collections.abc import Mapping


class PortTaken(Exception):
    """A port that was asked for is in use; the message names it and its purpose."""


def choose_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """Choose a loopback port for each purpose; 0 means any free one.

    All are held open until the last is chosen, so that no two are the same. Raises PortTaken.
    """
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for purpose, port in sorted(wanted.items(), key=lambda item: -item[1]):
            listener = socket.socket(socket.AF_INET)
            held.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen()
            except OSError as fault:
                raise PortTaken(f"port {port} for {purpose} cannot be used: {fault.strerror}") from None
            chosen[purpose] = listener.getsockname()[1]
    finally:
        for listener in held:
            listener.close()
    return chosen
