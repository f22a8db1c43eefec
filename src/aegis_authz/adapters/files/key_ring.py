"""A signing key that is replaced while it is in use: the next one is published before, former ones verify after.

NAME.pem  what signs     NAME.next.pem  what will sign, once everybody trusts it     NAME.former.json  what has signed
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aegis_authz import durable
from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519, load_p256, new_ed25519_pem, new_p256_pem
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk
from aegis_authz.encoding.narrowing import items, mapping, members, number
from aegis_authz.encoding.verifying_key import p256_jwk, verifying_key
from aegis_authz.ports.key_rings import KeyRingFault

Jwk = Mapping[str, Json]
Private = TypeVar("Private")
Public = TypeVar("Public")


@dataclass(frozen=True, slots=True)
class KeyForm(Generic[Private, Public]):
    """How keys of one algorithm are made, loaded and written down."""

    make: Callable[[], bytes]
    load: Callable[[Path], Private]
    public: Callable[[Private], Public]
    jwk: Callable[[Public], Mapping[str, str]]
    of_jwk: Callable[[Jwk], Public]


def _ed25519(jwk: Jwk) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw_from_jwk(jwk))


def _p256(jwk: Jwk) -> EllipticCurvePublicKey:
    key = verifying_key(jwk).key
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("not a P-256 key")  # noqa: TRY004  # a wrong value
    return key


ED25519 = KeyForm(
    new_ed25519_pem,
    load_ed25519,
    lambda key: key.public_key(),
    lambda key: okp_jwk(key.public_bytes_raw()),
    _ed25519,
)
P256 = KeyForm(new_p256_pem, load_p256, lambda key: key.public_key(), p256_jwk, _p256)


class RingFolder(Generic[Private, Public]):
    """A ring of keys in a folder that one process changes."""

    def __init__(self, folder: Path, name: str, form: KeyForm[Private, Public]) -> None:
        """Read the keys; a switch that was interrupted has not begun. Raises KeyFolderError, KeyRingFault."""
        self._folder = folder
        self._form = form
        self._own, self._next = folder / f"{name}.pem", folder / f"{name}.next.pem"
        self._former_file = folder / f"{name}.former.json"
        self._current = form.load(self._own)
        self._coming = form.load(self._next) if self._next.exists() else None
        self._former = self._read(self._former_file)

    @property
    def signing_key(self) -> Private:
        """What signs now."""
        return self._current

    @property
    def key_id(self) -> str:
        """The thumbprint of the key that signs now."""
        return self._kid(self._form.public(self._current))

    @property
    def since(self) -> Epoch:
        """When the key that signs now was made, by its file. Raises KeyRingFault."""
        try:
            return Epoch(self._own.stat().st_mtime)
        except OSError as fault:
            raise KeyRingFault(f"{self._own}: {fault.strerror}") from None

    def trusted(self, now: Epoch) -> tuple[Public, ...]:
        """What is to be believed: the key that signs, the next one, and former ones whose time is not over."""
        own = [self._form.public(key) for key in (self._current, self._coming) if key is not None]
        kids = {self._kid(key) for key in own}
        former = [key for key, ends in self._former if ends > now and self._kid(key) not in kids]
        return (*own, *former)

    def is_outlived(self, now: Epoch) -> bool:
        """Whether a former key's time is over."""
        return any(ends <= now for _, ends in self._former)

    def prepare(self) -> None:
        """Make the next key, unless there is one. Raises KeyRingFault."""
        try:
            durable.create(self._next, self._form.make())
            self._coming = self._form.load(self._next)
        except (OSError, KeyFolderError) as fault:
            raise KeyRingFault(f"{self._next}: {fault}") from None

    def switch(self, ends: Epoch) -> None:
        """Sign with the next key from now on; the one so far verifies until `ends`. Raises KeyRingFault."""
        if self._coming is None:
            raise KeyRingFault("there is no next key")
        # Written down first: a key that has signed must verify whatever is interrupted here.
        self._keep((*self._former, (self._form.public(self._current), ends)))
        try:
            os.replace(self._next, self._own)
            durable.sync_folder(self._folder)
        except OSError as fault:
            raise KeyRingFault(f"{self._own}: {fault.strerror}") from None
        self._current, self._coming = self._coming, None

    def drop(self, now: Epoch) -> None:
        """Forget the former keys whose time is over. Raises KeyRingFault."""
        self._keep(tuple(former for former in self._former if former[1] > now))

    def _kid(self, key: Public) -> str:
        return self._form.jwk(key)["kid"]

    def _keep(self, former: tuple[tuple[Public, Epoch], ...]) -> None:
        data = {"former": [{"jwk": dict(self._form.jwk(key)), "ends": ends} for key, ends in former]}
        try:
            durable.replace(self._former_file, json.dumps(data, indent=1).encode("ascii") + b"\n")
        except OSError as fault:
            raise KeyRingFault(f"{self._former_file}: {fault.strerror}") from None
        self._former = former

    def _read(self, path: Path) -> tuple[tuple[Public, Epoch], ...]:
        try:
            data = members(strict_json.parse_object(path.read_bytes()), {"former"}, "the file")
            return tuple(self._entry(entry) for entry in items(data["former"], "former"))
        except FileNotFoundError:
            return ()
        except (OSError, Refused, ValueError) as fault:
            raise KeyRingFault(f"{path}: cannot be read: {fault}") from None

    def _entry(self, data: Json) -> tuple[Public, Epoch]:
        entry = members(data, {"jwk", "ends"}, "a former key")
        return self._form.of_jwk(mapping(entry["jwk"], "jwk")), Epoch(float(number(entry["ends"], "ends")))


class FileKeyRing(RingFolder[Ed25519PrivateKey, Ed25519PublicKey]):
    """`ports.KeyRing` on a folder of keys."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises KeyFolderError, KeyRingFault."""
        super().__init__(folder, name, ED25519)


class FileBundleKeyRing(RingFolder[EllipticCurvePrivateKey, EllipticCurvePublicKey]):
    """`ports.BundleKeyRing` on a folder of keys."""

    def __init__(self, folder: Path) -> None:
        """Raises KeyFolderError, KeyRingFault."""
        super().__init__(folder, "bundle", P256)
