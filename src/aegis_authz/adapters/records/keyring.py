"""The keys that data keys of encrypted segments are wrapped by: a file of 32 bytes, or the transit engine of a Vault.

Whoever reads records names them in AEGIS_RECORDS_KEYS, separated by commas: `file:PATH` or `vault:MOUNT/NAME`. The
first one wraps what is encrypted from now on, the others open what was wrapped before. Vault is found as its own
command line finds it (adapters/vault_secrets.py; https://developer.hashicorp.com/vault/api-docs/secret/transit).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aegis_authz import durable
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.evidence.encryption import EncryptedSegment, wrap_context

if TYPE_CHECKING:
    from aegis_authz.adapters.vault_secrets import VaultSecrets

VARIABLE = "AEGIS_RECORDS_KEYS"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_MOST_OPENED = 4096
_MOUNT, _NAME = "[A-Za-z0-9_-]{1,64}(?:/[A-Za-z0-9_-]{1,64}){0,3}", "[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}"
_VAULT_KEY = re.compile(rf"vault:({_MOUNT})/({_NAME})\Z")


class KeyUnusable(Exception):
    """A data key cannot be wrapped or opened; fit to show, holds no secret."""


class DataKeyAltered(KeyUnusable):
    """A wrapped data key is not what the key of its name wrapped for that segment."""


class WrappingKey(Protocol):
    """A key-encryption key. Both methods may block on the network and raise KeyUnusable."""

    @property
    def name(self) -> str:
        """How heads of segments name it."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> str:
        """The data key under this key, bound to the context."""
        ...

    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """The data key again."""
        ...


class FileKey:
    """A key-encryption key in a file that its reader alone can read: AES-256-GCM with a random nonce."""

    def __init__(self, path: Path) -> None:
        """Raises KeyUnusable."""
        try:
            text = read_secret(path).strip()
            key = base64.b64decode(text, validate=True)
        except (SecretUnusable, binascii.Error) as fault:
            raise KeyUnusable(f"{path}: {fault}" if isinstance(fault, binascii.Error) else str(fault)) from None
        if len(key) != _KEY_BYTES:
            raise KeyUnusable(f"{path}: not {_KEY_BYTES} bytes in base64: `aegis keys encryption {path}` makes them")
        self._cipher = AESGCM(key)
        self.name = "file:" + hashlib.sha256(b"aegis-wrapping-key-v1\x00" + key).hexdigest()[:16]

    def wrap(self, data_key: bytes, context: bytes) -> str:
        """The data key under this key, bound to the context."""
        nonce = os.urandom(_NONCE_BYTES)
        return "v1:" + base64.b64encode(nonce + self._cipher.encrypt(nonce, data_key, context)).decode("ascii")

    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """The data key again. Raises DataKeyAltered."""
        try:
            sealed = base64.b64decode(wrapped.removeprefix("v1:"), validate=True)
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise DataKeyAltered(f"the key {self.name} does not open its data key") from None


def _vault(environment: Mapping[str, str]) -> VaultSecrets:
    """The Vault that the environment names. Raises SecretUnusable."""
    from aegis_authz.adapters.vault_secrets import VaultPlace, VaultSecrets  # only here: authorizers have no httpx

    return VaultSecrets(VaultPlace.of(environment))


class VaultKey:
    """A key-encryption key of a transit engine, which never leaves it. It must be one of AES-GCM."""

    def __init__(self, mount: str, name: str, environment: Mapping[str, str]) -> None:
        self._mount = mount
        self._key = name
        self._environment = environment
        self.name = f"vault:{mount}/{name}"

    def wrap(self, data_key: bytes, context: bytes) -> str:
        """The data key under the newest version of this key, bound to the context. Raises KeyUnusable."""
        try:
            with _vault(self._environment) as vault:
                return vault.encrypt(self._mount, self._key, data_key, context)
        except SecretUnusable as fault:
            raise KeyUnusable(str(fault)) from None

    def unwrap(self, wrapped: str, context: bytes) -> bytes:
        """The data key again. Raises KeyUnusable."""
        try:
            with _vault(self._environment) as vault:
                return vault.decrypt(self._mount, self._key, wrapped, context)
        except SecretUnusable as fault:
            raise KeyUnusable(str(fault)) from None


class Keyring:
    """The keys that were named, the one to wrap with first. Any thread may call."""

    def __init__(self, keys: Sequence[WrappingKey]) -> None:
        self._keys = {key.name: key for key in reversed(keys)}
        self._first = keys[0] if keys else None
        self._opened: dict[tuple[str, str, int], bytes] = {}

    @property
    def first(self) -> WrappingKey:
        """The one to wrap with. Raises KeyUnusable without any."""
        if self._first is None:
            raise KeyUnusable(f"no key to encrypt with is named: {VARIABLE}=file:PATH or vault:MOUNT/NAME")
        return self._first

    def holds(self, name: str) -> bool:
        """Whether the key of that name was named."""
        return name in self._keys

    def data_key(self, segment: EncryptedSegment) -> bytes:
        """What the bodies of the segment are encrypted with. Raises KeyUnusable."""
        key = self._keys.get(segment.key)
        if key is None:
            raise KeyUnusable(f"it is encrypted with the key {segment.key}, which is not given ({VARIABLE})")
        place = (segment.wrapped, segment.writer, segment.segment)
        data_key = self._opened.get(place)
        if data_key is None:
            data_key = key.unwrap(segment.wrapped, wrap_context(segment.writer, segment.segment))
            if len(data_key) != _KEY_BYTES:
                raise KeyUnusable(f"the key {segment.key} opens no data key of {_KEY_BYTES} bytes")
            if len(self._opened) >= _MOST_OPENED:
                self._opened.clear()
            self._opened[place] = data_key  # a Vault is asked once for each segment
        return data_key


def make_key_file(path: Path) -> str:
    """Make a key-encryption key in a new file of mode 0600; returns its name. Raises KeyUnusable, OSError."""
    if not durable.create(path, base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n"):
        raise KeyUnusable(f"{path} is there already, and what it wraps would be lost with it")
    return FileKey(path).name


def keyring_of(environment: Mapping[str, str]) -> Keyring:
    """The keys that the environment names. Raises KeyUnusable."""
    names = [name.strip() for name in environment.get(VARIABLE, "").split(",") if name.strip()]
    return Keyring([_key(name, environment) for name in names])


def _key(reference: str, environment: Mapping[str, str]) -> WrappingKey:
    if reference.startswith("file:") and len(reference) > len("file:"):
        return FileKey(Path(reference.removeprefix("file:")))
    if (match := _VAULT_KEY.match(reference)) is not None:
        return VaultKey(match[1], match[2], environment)
    raise KeyUnusable(f"{VARIABLE}: a key is file:PATH or vault:MOUNT/NAME, not {reference!r}")


_of_process: tuple[str, Keyring] | None = None


def process_keyring() -> Keyring:
    """The keys that the environment of this process names, read once. Raises KeyUnusable."""
    global _of_process  # as the environment is of the process, so is what it names
    named = os.environ.get(VARIABLE, "")
    if _of_process is None or _of_process[0] != named:
        _of_process = named, keyring_of(os.environ)
    return _of_process[1]
