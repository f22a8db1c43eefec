"""Keys, compiled examples and a real OPA that fetches its bundle from the test."""

from __future__ import annotations

import http.client
import json
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from nacl.signing import SigningKey

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import Compiled, compile_policy
from aegis_authz.policy.compile.pack import pack
from aegis_authz.policy.load import Loaded, load

ROOT = Path(__file__).resolve().parents[2]
DETECTORS = {"us_ssn", "date_of_birth"}


def jwk(seed: bytes) -> dict[str, Json]:
    """The public JWK of the Ed25519 key with this 32-byte seed."""
    written = okp_jwk(SigningKey(seed).verify_key.encode())
    return {name: written[name] for name in ("kty", "crv", "x", "kid")}


def texts(folder: str) -> dict[str, str]:
    paths = sorted(path for path in (ROOT / folder).glob("*.yaml") if not path.stem.endswith("_test"))
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths}


@pytest.fixture(scope="session")
def token_jwk() -> dict[str, Json]:
    return jwk(b"t" * 32)


@pytest.fixture(scope="session")
def approval_jwk() -> dict[str, Json]:
    return jwk(b"a" * 32)


@pytest.fixture(scope="session")
def trust(token_jwk: dict[str, Json], approval_jwk: dict[str, Json]) -> dict[str, Json]:
    return trust_to_data("aegis", "aegis-mesh", [token_jwk], [approval_jwk], 300, 5)


@pytest.fixture(scope="session")
def examples() -> Loaded:
    """The documents of the checkout's `policies/`."""
    return load(texts("policies/agents"), texts("policies/tools"), DETECTORS)


@pytest.fixture(scope="session")
def compiled(examples: Loaded, trust: dict[str, Json]) -> Compiled:
    return compile_policy(examples.compiled, examples.tools, trust, "http://127.0.0.1:8181/approvals")


@pytest.fixture(scope="session")
def signing_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="session")
def bundle(compiled: Compiled, signing_key: ec.EllipticCurvePrivateKey) -> bytes:
    return pack(compiled, rego_library(), signing_key, "bundle-key")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("opa", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


@dataclass
class RealOpa:
    """A running OPA. `offer` hands it another bundle and waits until it has taken or refused it."""

    socket_path: str
    said: queue.Queue[Mapping[str, Json]]
    offered: dict[str, tuple[str, bytes]] = field(default_factory=dict)

    def offer(self, bundle: bytes) -> str:
        """Serve these bytes from now on; returns OPA's own words about them."""
        while not self.said.empty():
            self.said.get_nowait()
        self.offered["bundle"] = (f'"{len(self.offered)}-{hash(bundle)}"', bundle)
        while True:
            line = self.said.get(timeout=20)
            words = str(line.get("msg", ""))
            if "activated successfully" in words or "Bundle load failed" in words:
                return words

    def get(self, path: str) -> Json:
        return self._ask("GET", path, None)

    def ask(self, calls: list[Json]) -> list[dict[str, Json]]:
        answer = self._ask("POST", "/v1/data/aegis/authz/answer", {"input": {"calls": calls}})
        assert isinstance(answer, dict)
        decisions = answer["decisions"]
        assert isinstance(decisions, list)
        return decisions

    def _ask(self, method: str, path: str, body: Json) -> Json:
        connection = _UnixConnection(self.socket_path)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        result: Json = answer.get("result")
        return result


def _config(port: int, key: ec.EllipticCurvePrivateKey) -> dict[str, Json]:
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "services": {"control": {"url": f"http://127.0.0.1:{port}"}},
        "keys": {"bundle-key": {"algorithm": "ES256", "key": pem.decode()}},
        "bundles": {
            "aegis": {
                "service": "control",
                "resource": "bundle.tar.gz",
                "polling": {"min_delay_seconds": 0, "max_delay_seconds": 1},
                "signing": {"keyid": "bundle-key"},
            }
        },
    }


@pytest.fixture(scope="module")
def opa(opa_binary: Path, bundle: bytes, signing_key: ec.EllipticCurvePrivateKey) -> Iterator[RealOpa]:
    """A real OPA that runs the example bundle."""
    folder = Path(tempfile.mkdtemp(prefix="aegis-opa-"))
    real = RealOpa(str(folder / "opa.sock"), queue.Queue())

    class Bundles(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            etag, content = real.offered.get("bundle", ("", b""))
            if not content or self.headers.get("If-None-Match") == etag:
                self.send_response(304 if content else 404)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("ETag", etag)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bundles)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    (folder / "config.json").write_text(json.dumps(_config(server.server_address[1], signing_key)), "utf-8")
    process = subprocess.Popen(
        [
            opa_binary,
            "run",
            "--server",
            "--addr",
            f"unix://{real.socket_path}",
            "--config-file",
            folder / "config.json",
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    stderr = process.stderr
    assert stderr is not None

    def listen() -> None:
        for line in stderr:
            real.said.put(json.loads(line) if line.startswith("{") else {"msg": line})

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        assert "activated" in real.offer(bundle)
        yield real
    finally:
        process.terminate()
        process.wait(10)
        listening.join(10)
        stderr.close()
        server.shutdown()
        serving.join(10)
        server.server_close()
        shutil.rmtree(folder)
