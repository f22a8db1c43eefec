"""Ports for a mesh: those asked for, those it had before, or ones found free."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path

_FILE = "ports.json"


class PortTaken(Exception):
    """A port that was asked for is in use; the message names it and its purpose."""


def choose_ports(requests: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    """Choose a loopback port for each purpose; 0 means the one it had `before` if that is free, else any free one.

    All are held open until the last is chosen, so that no two are the same. Raises PortTaken.
    """
    listeners: list[socket.socket] = []
    ports: dict[str, int] = {}
    try:
        # those asked for come first, lest a chosen one takes their place
        for purpose, port in sorted(requests.items(), key=lambda item: -item[1]):
            listener = _listener(purpose, port, before.get(purpose, 0))
            listeners.append(listener)
            ports[purpose] = int(listener.getsockname()[1])
    finally:
        for listener in listeners:
            listener.close()
    return ports


def remember_ports(state: Path, ports: Mapping[str, int]) -> None:
    """Keep the ports for the next mesh in this state folder: its agents find it where it was. Raises OSError."""
    (state / _FILE).write_text(json.dumps(dict(ports)), "utf-8")


def remembered_ports(state: Path) -> dict[str, int]:
    """The ports of the mesh that was in this state folder before, empty when there was none."""
    try:
        ports = json.loads((state / _FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(ports, dict):
        return {}
    return {purpose: port for purpose, port in ports.items() if isinstance(port, int) and 0 < port < 65536}


def _listener(purpose: str, port: int, before: int) -> socket.socket:
    if port == 0 and before:
        try:
            return _bound(before)
        except OSError:
            return _bound(0)
    try:
        return _bound(port)
    except OSError as fault:
        raise PortTaken(f"port {port} for {purpose} cannot be used: {fault.strerror}") from None


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
