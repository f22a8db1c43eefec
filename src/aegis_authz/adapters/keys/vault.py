"""Signing keys in HashiCorp Vault or OpenBao: its transit engine signs, and the private halves never leave it.

One Ed25519 key of the engine holds all versions (https://developer.hashicorp.com/vault/api-docs/secret/transit); the
handle of a key is its version.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, text
from aegis_authz.ports.key_rings import KeyServiceDown

_TIMEOUT = 3.0
_MAX_ANSWER_BYTES = 1024 * 1024
_MAX_TOKEN_BYTES = 8192
_HANDLE = re.compile(r"[1-9][0-9]{0,8}\Z")
_SIGNATURE = re.compile(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]{86}==)\Z")
TOKEN_VARIABLE = "VAULT_TOKEN"  # noqa: S105  # the name of a variable


class VaultKeyStore:
    """`ports.KeyStore` on one key of a transit engine. Every method blocks on the network."""

    def __init__(self, url: str, mount: str, name: str, token: Callable[[], str], ca_file: Path | None = None) -> None:
        """`token` is asked for each request: an agent beside may renew the file it comes from."""
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/v1/{mount}/",
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            verify=True if ca_file is None else str(ca_file),
        )
        self._name = name
        self._token = token

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def make(self) -> str:
        """Make another key, that is a version; returns its handle. Raises KeyServiceDown."""
        path = f"keys/{self._name}"
        if self._ask("GET", path, missing=True) is None:
            self._ask("POST", path, {"type": "ed25519"})
        else:
            self._ask("POST", f"{path}/rotate", {})
        data = self._read(path)
        latest = data.get("latest_version")
        if isinstance(latest, bool) or not isinstance(latest, int) or latest < 1:
            raise KeyServiceDown(f"vault: {path} has no latest version")
        return str(latest)

    def public_key(self, handle: str) -> bytes:
        """The raw public half of a key. Raises KeyServiceDown."""
        data = self._read(f"keys/{self._name}")
        try:
            if data.get("type") != "ed25519":
                raise ValueError("not an Ed25519 key")
            version = mapping(mapping(data["keys"], "keys")[_version(handle)], "a version")
            return base64.b64decode(text(version["public_key"], "public_key"), validate=True)
        except (KeyError, ValueError, binascii.Error) as fault:
            raise KeyServiceDown(f"vault: keys/{self._name} version {handle} cannot be used: {fault}") from None

    def sign(self, handle: str, message: bytes) -> bytes:
        """The signature of the message by that key. Raises KeyServiceDown."""
        version = _version(handle)
        question: dict[str, Json] = {
            "input": base64.b64encode(message).decode("ascii"),
            "key_version": int(version),
        }
        answer = self._ask("POST", f"sign/{self._name}", question)
        signature = _SIGNATURE.match(str((answer or {}).get("signature", "")))
        if signature is None or signature[1] != version:
            raise KeyServiceDown(f"vault: sign/{self._name} answered something else than a signature")
        return base64.b64decode(signature[2])

    def retire(self, handle: str, successor: str) -> None:
        """Have the engine sign with the successor and later ones alone. Raises KeyServiceDown."""
        self._ask("POST", f"keys/{self._name}/config", {"min_encryption_version": int(_version(successor))})

    def _read(self, path: str) -> Mapping[str, Json]:
        return self._ask("GET", path) or {}

    def _ask(
        self, method: str, path: str, body: Mapping[str, Json] | None = None, *, missing: bool = False
    ) -> Mapping[str, Json] | None:
        """The member `data` of the answer; None for nothing there, where that may be. What Vault says of a fault is
        not passed on: a status is enough, and holds no secret.
        """
        try:
            with self._client.stream(method, path, json=body, headers={"x-vault-token": self._token()}) as response:
                content = _bounded(response)
        except httpx.HTTPError as fault:
            raise KeyServiceDown(f"vault: {path}: no answer ({type(fault).__name__})") from None
        if missing and response.status_code == 404:
            return None
        if response.status_code not in (200, 204):
            raise KeyServiceDown(f"vault: {path}: status {response.status_code}")
        if not content:
            return {}
        try:
            data = strict_json.parse_object(content)["data"]
            return {} if data is None else mapping(data, "data")
        except (Refused, KeyError, ValueError):
            raise KeyServiceDown(f"vault: {path}: the answer is not what Vault answers") from None


def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            raise httpx.ReadError("the answer is too long")
    return bytes(content)


def _version(handle: str) -> str:
    if _HANDLE.match(handle) is None:
        raise KeyServiceDown("vault: the handle of the key is not a version")
    return handle


def token_source(file: Path | None) -> Callable[[], str]:
    """Reads the token from the file, or from VAULT_TOKEN of the environment, each time; never shows it.

    It raises KeyServiceDown.
    """

    def read() -> str:
        if file is None:
            token = os.environ.get(TOKEN_VARIABLE, "")
        else:
            try:
                with file.open("rb") as opened:
                    token = opened.read(_MAX_TOKEN_BYTES).decode("ascii").strip()
            except (OSError, UnicodeDecodeError) as fault:
                raise KeyServiceDown(f"vault: the token file {file} cannot be read ({type(fault).__name__})") from None
        if not token or not token.isascii() or not token.isprintable():
            raise KeyServiceDown(f"vault: no token in {file or TOKEN_VARIABLE}")
        return token

    return read
