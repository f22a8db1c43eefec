"""A control plane that is not ours: it offers OPA bundles that must not be believed."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import tarfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from aegis_authz.adapters.files.keys import OPA_TOKEN, load_token
from tests.support.fail_closed.mesh import PATIENCE

SIGNATURES = ".signatures.json"
_BUNDLE_TYPE = "application/vnd.openpolicyagent.bundles"

Entries = dict[str, bytes]


def _unsigned(entries: Entries) -> Entries:
    return {name: content for name, content in widened(entries).items() if name != SIGNATURES}


def _signed_by_a_stranger(entries: Entries) -> Entries:
    """Everything is signed as it should be, by a key that OPA does not know under the name of one it knows."""
    files = jwt.decode(_signature(entries), options={"verify_signature": False})
    stranger = generate_private_key(SECP256R1())
    signature = jwt.encode(files, stranger, algorithm="ES256", headers={"kid": "aegis"})
    return {**entries, SIGNATURES: json.dumps({"signatures": [signature]}).encode()}


def widened(entries: Entries) -> Entries:
    """The bundle with a limit of the finance agent a thousand times as high, under the signature of the narrow one."""
    data = entries["data.json"]
    assert b"10000" in data
    return {**entries, "data.json": data.replace(b"10000", b"10000000")}


@dataclass(frozen=True, slots=True)
class BadBundle:
    """A bundle that was spoiled, and the words by which OPA refuses it."""

    name: str
    spoil: Callable[[Entries], Entries]
    trouble: str


WITHOUT_VALID_SIGNATURE = (
    BadBundle("The published bundle is not signed", _unsigned, "missing .signatures.json"),
    BadBundle("The published bundle was altered", widened, "data.json: digest mismatch"),
    BadBundle("The published bundle is signed by a stranger", _signed_by_a_stranger, "verify JWT signature"),
)


async def served_bundle(control: str, keys: Path) -> bytes:
    """The signed bundle that the control plane at `control` serves, fetched as OPA does with its token in `keys`."""
    headers = {"authorization": f"Bearer {load_token(keys / OPA_TOKEN)}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as opa:
        return (await opa.get(f"{control}/bundles/aegis.tar.gz")).raise_for_status().content


class ControlImpostor:
    """Listens where the control plane did; OPA fetches `bundle` from it and reports to it what came of that."""

    def __init__(self) -> None:
        self._bundle = b""
        self._etag = 0
        self._trouble = ""
        self._refused = asyncio.Event()

    async def offer(self, bundle: bytes, trouble: str) -> None:
        """Offer a bundle; return once OPA has reported this trouble with it. Raises TimeoutError."""
        self._bundle = bundle
        self._etag += 1
        self._trouble = trouble
        self._refused.clear()
        async with asyncio.timeout(PATIENCE):
            await self._refused.wait()

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[ControlImpostor]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            if head.startswith("post"):
                self._hear(body)
                writer.write(b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n")
            else:
                about = f'content-type: {_BUNDLE_TYPE}\r\netag: "impostor-{self._etag}"\r\nconnection: close\r\n'
                size = f"content-length: {len(self._bundle)}\r\n\r\n"
                writer.write(f"HTTP/1.1 200 X\r\n{about}{size}".encode() + self._bundle)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # OPA has left
        finally:
            writer.close()

    def _hear(self, report: bytes) -> None:
        status = json.loads(report)["bundles"]["aegis"]
        if status.get("code") == "bundle_error" and self._trouble in status["message"]:
            self._refused.set()


def unpacked(bundle: bytes) -> Entries:
    """The files of a bundle."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def packed(entries: Entries) -> bytes:
    """A bundle of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue())


def _signature(entries: Entries) -> str:
    signature: str = json.loads(entries[SIGNATURES])["signatures"][0]
    return signature
