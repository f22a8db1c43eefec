"""A fake of a witness, exact in its protocol (C2SP tlog-witness and tlog-cosignature), on a real socket of loopback."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TOOL = Path(__file__).parents[2] / "tools" / "verify_records.py"
_BODY = re.compile(
    r"old (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n){0,63})\n((.+)\n([0-9]+)\n(.+)\n\n(.+\n))", re.DOTALL
)


@dataclass
class FakeWitness:
    """What it has seen of each origin that it knows: the raw key of the log, size and root. `now` is its clock."""

    name: str
    key: Ed25519PrivateKey
    logs: dict[str, bytes]
    now: int = 1_800_000_000
    seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)
    status: int = 0
    url: str = ""

    @property
    def verifier_key(self) -> str:
        material = b"\x04" + self.key.public_key().public_bytes_raw()
        return f"{self.name}+{self._id(material).hex()}+{base64.b64encode(material).decode()}"

    def _id(self, material: bytes) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]

    def answer(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, content type and content."""
        self.requests.append(body)
        match = _BODY.fullmatch(body.decode("utf-8"))
        if self.status or match is None:
            return self.status or 400, "text/plain", b"no\n"
        old, size, root = int(match[1]), int(match[5]), base64.b64decode(match[6])
        text, origin = f"{match[4]}\n{match[5]}\n{match[6]}\n", match[4]
        if origin not in self.logs:
            return 404, "text/plain", b"unknown log\n"
        if not _is_signed(origin, self.logs[origin], text, match[7]):
            return 403, "text/plain", b"no signature\n"
        seen, seen_root = self.seen.get(origin, (0, b""))
        if old > size:
            return 400, "text/plain", b"older\n"
        if old != seen:
            return 409, "text/x.tlog.size", f"{seen}\n".encode()
        proof = [base64.b64decode(line) for line in match[2].splitlines()]
        if old == size and root != seen_root:
            return 409, "text/plain", b"another root\n"
        if (proof and not old) or (old and not _tool().is_beginning(old, size, seen_root, root, proof)):
            return 422, "text/plain", b"no proof\n"
        self.seen[origin] = (size, root)
        return 200, "text/plain", self.cosignature(text).encode("utf-8")

    def cosignature(self, text: str) -> str:
        """The signature line on a checkpoint's text."""
        material = b"\x04" + self.key.public_key().public_bytes_raw()
        signature = self.key.sign(f"cosignature/v1\ntime {self.now}\n{text}".encode())
        data = self._id(material) + self.now.to_bytes(8) + signature
        return f"\u2014 {self.name} {base64.b64encode(data).decode()}\n"


def _is_signed(origin: str, key: bytes, text: str, lines: str) -> bool:
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    for line in lines.splitlines():
        _, name, data = line.split(" ")
        signature = base64.b64decode(data)
        if (name, signature[:4]) == (origin, key_id):
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False


def _tool() -> ModuleType:
    """The verifier in one file, which shares no code with what is tested."""
    spec = importlib.util.spec_from_file_location("verify_records_of_the_witness", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def listening(witness: FakeWitness) -> Iterator[FakeWitness]:
    """The witness on a port of loopback; its `url` is set meanwhile."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, kind, content = (
                witness.answer(body) if self.path == "/w/add-checkpoint" else (404, "text/plain", b"")
            )
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    witness.url = f"http://127.0.0.1:{server.server_port}/w"
    try:
        yield witness
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
