"""The transit engine of Vault as far as signing keys go: paths, members and statuses as OpenBao 2.7 answers them."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.vault_http import json_bytes, vault_http

TOKEN = "transit-token-of-tests"


class Transit:
    """What the server holds. `is_sealed` and `lies` make it fail."""

    def __init__(self) -> None:
        self.keys: dict[str, list[Ed25519PrivateKey]] = {}
        self.least: dict[str, int] = {}
        self.ciphers: dict[str, list[AESGCM]] = {}
        """Keys of the type aes256-gcm96, by their versions."""
        self.is_sealed = False
        self.lies = False
        self.answer: tuple[int, bytes] | None = None
        """Answered to everything in place of the truth."""
        self.url = ""

    def reply(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, Any]:
        if self.is_sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != TOKEN:
            return 403, {"errors": ["permission denied"]}
        match path.removeprefix("/v1/transit/").split("/"):
            case ["keys", name] if method == "GET":
                return (200, self._key(name)) if name in self.keys else (404, {"errors": []})
            case ["keys", name]:
                assert body == {"type": "ed25519"}
                self.keys.setdefault(name, [Ed25519PrivateKey.generate()])
                return 200, self._key(name)
            case ["keys", name, "rotate"]:
                self.keys[name].append(Ed25519PrivateKey.generate())
                return 200, self._key(name)
            case ["keys", name, "config"]:
                self.least[name] = body["min_encryption_version"]
                return 200, self._key(name)
            case ["encrypt", name] if name in self.ciphers:
                return self._encrypted(name, body)
            case ["decrypt", name] if name in self.ciphers:
                return self._decrypted(name, body)
            case ["sign", name]:
                return self._signature(name, body)
            case _:
                return 404, {"errors": ["no handler for route"]}

    def _key(self, name: str) -> dict[str, Any]:
        versions = {
            str(number): {"name": "ed25519", "public_key": _text(key.public_key().public_bytes_raw())}
            for number, key in enumerate(self.keys[name], 1)
        }
        data = {"type": "ed25519", "keys": versions, "latest_version": len(versions), "name": name}
        return {"request_id": "r", "lease_id": "", "data": data, "warnings": None}

    def _encrypted(self, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        versions, nonce = self.ciphers[name], os.urandom(12)
        sealed = versions[-1].encrypt(nonce, base64.b64decode(body["plaintext"]), _context(body))
        return 200, {
            "data": {"ciphertext": f"vault:v{len(versions)}:{_text(nonce + sealed)}", "key_version": len(versions)}
        }

    def _decrypted(self, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        _, version, content = body["ciphertext"].split(":")
        raw = base64.b64decode(content)
        try:
            plain = self.ciphers[name][int(version[1:]) - 1].decrypt(raw[:12], raw[12:], _context(body))
        except (InvalidTag, IndexError):
            return 400, {"errors": ["invalid ciphertext: unable to decrypt"]}
        return 200, {"data": {"plaintext": _text(plain)}}

    def _signature(self, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        version = body["key_version"]
        if not self.least.get(name, 0) <= version <= len(self.keys[name]):
            return 500, {"errors": ["1 error occurred: requested version for signing"]}
        key = Ed25519PrivateKey.generate() if self.lies else self.keys[name][version - 1]
        signature = _text(key.sign(base64.b64decode(body["input"])))
        return 200, {"data": {"key_version": version, "signature": f"vault:v{version}:{signature}"}}


def _context(body: dict[str, Any]) -> bytes:
    return base64.b64decode(body.get("associated_data", ""))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


@contextmanager
def transit_server() -> Iterator[Transit]:
    transit = Transit()

    def reply(method: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, bytes]:
        status, content = transit.reply(method, path, headers.get("x-vault-token", ""), body or {})
        return transit.answer or (status, json_bytes(content))

    with vault_http(reply) as transit.url:
        yield transit
