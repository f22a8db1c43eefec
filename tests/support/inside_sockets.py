"""Sockets of another network namespace, made by a thread that goes there and used from here."""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_libc = ctypes.CDLL(None, use_errno=True)
"x".encode("idna")  # loads what connecting wants, which another user may not read


def socket_inside(pid: int, make: Callable[[], socket.socket], uid: int = 0) -> socket.socket:
    """What `make` makes in the network namespace of a process, as a user of that id. Raises OSError."""
    with ThreadPoolExecutor(1) as thread:  # namespace and user are the thread's, and end with it
        return thread.submit(_made, pid, make, uid).result()


def _made(pid: int, make: Callable[[], socket.socket], uid: int) -> socket.socket:
    with open(f"/proc/{pid}/ns/net", "rb") as place:
        if _libc.setns(place.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    _libc.setfsuid(uid)  # whose a socket is, to the packet filter, is said by the user that its file was made by
    return make()


def dialled(host: str, port: int) -> socket.socket:
    """A connection, for asyncio to go on with."""
    connection = socket.create_connection((host, port), 5)
    connection.setblocking(False)
    return connection


def serving(port: int) -> socket.socket:
    """A socket that listens on loopback."""
    return socket.create_server(("127.0.0.1", port), backlog=1024)
