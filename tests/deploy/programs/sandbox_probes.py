"""Ways out of a sandbox, tried from inside: prints what came of each, as JSON. The words are those of JSON, too."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

places = json.loads(sys.argv[1])


def dial(family: int, address: object) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)  # type: ignore[arg-type]
        client.sendall(b"GET /probe HTTP/1.0\r\n\r\n")
        return client.recv(100).decode()


def datagram() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"probe", (places["host"], places["udp"]))
        return client.recv(100).decode()


def raw_frame() -> str:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "a raw socket"


def signal_of_outside() -> str:
    os.kill(places["pid"], 0)
    return "a process outside"


def new_user_namespace() -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x10000000) != 0:  # CLONE_NEWUSER, <linux/sched.h>
        raise OSError(ctypes.get_errno(), "unshare")
    return "a user namespace"


WAYS: dict[str, Callable[[], str]] = {
    "loopback": lambda: dial(socket.AF_INET, ("127.0.0.1", places["tcp"])),
    "address": lambda: dial(socket.AF_INET, (places["host"], places["tcp"])),
    "datagram": datagram,
    "abstract socket": lambda: dial(socket.AF_UNIX, "\0" + places["abstract"]),
    "socket in a folder": lambda: dial(socket.AF_UNIX, places["socket"]),
    "file": lambda: Path(places["file"]).read_text("utf-8"),
    "process": signal_of_outside,
    "frame": raw_frame,
    "user namespace": new_user_namespace,
}


def outcome(way: Callable[[], str]) -> str:
    try:
        return f"reached: {way()}"
    except OSError as fault:
        return type(fault).__name__


print(json.dumps({name: outcome(way) for name, way in WAYS.items()}))  # noqa: T201  # what it is run for
