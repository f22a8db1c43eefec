"""A signing key that is replaced while it is in use: the next one is published before, former ones verify after.

NAME.pem  what signs     NAME.next.pem  what will sign, once everybody trusts it     NAME.former.json  what has signed
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aegis_authz import durable
from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519, new_ed25519_pem
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk
from aegis_authz.encoding.narrowing import items, mapping, members, number
from aegis_authz.ports.control_plane import KeyRingFault

Former = tuple[bytes, Epoch]


class FileKeyRing:
    """`ports.KeyRing` on a folder of keys that one process changes."""

    def __init__(self, folder: Path, name: str) -> None:
        """Read the keys; a switch that was interrupted has not begun. Raises KeyFolderError, KeyRingFault."""
        self._folder = folder
        self._own, self._next = folder / f"{name}.pem", folder / f"{name}.next.pem"
        self._former_file = folder / f"{name}.former.json"
        self._current = load_ed25519(self._own)
        self._coming = load_ed25519(self._next) if self._next.exists() else None
        self._former = _read(self._former_file)

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        """What signs now."""
        return self._current

    def trusted(self, now: Epoch) -> tuple[Ed25519PublicKey, ...]:
        """What is to be believed: the key that signs, the next one, and former ones whose time is not over."""
        own = [key.public_key() for key in (self._current, self._coming) if key is not None]
        raws = {key.public_bytes_raw() for key in own}
        former = [
            Ed25519PublicKey.from_public_bytes(raw) for raw, ends in self._former if ends > now and raw not in raws
        ]
        return (*own, *former)

    def is_outlived(self, now: Epoch) -> bool:
        """Whether a former key's time is over."""
        return any(ends <= now for _, ends in self._former)

    def prepare(self) -> None:
        """Make the next key, unless there is one. Raises KeyRingFault."""
        try:
            durable.create(self._next, new_ed25519_pem())
            self._coming = load_ed25519(self._next)
        except (OSError, KeyFolderError) as fault:
            raise KeyRingFault(f"{self._next}: {fault}") from None

    def switch(self, ends: Epoch) -> None:
        """Sign with the next key from now on; the one so far verifies until `ends`. Raises KeyRingFault."""
        if self._coming is None:
            raise KeyRingFault("there is no next key")
        raw = self._current.public_key().public_bytes_raw()
        # Written down first: a key that has signed must verify whatever is interrupted here.
        self._keep((*self._former, (raw, ends)))
        try:
            os.replace(self._next, self._own)
            durable.sync_folder(self._folder)
        except OSError as fault:
            raise KeyRingFault(f"{self._own}: {fault.strerror}") from None
        self._current, self._coming = self._coming, None

    def drop(self, now: Epoch) -> None:
        """Forget the former keys whose time is over. Raises KeyRingFault."""
        self._keep(tuple(former for former in self._former if former[1] > now))

    def _keep(self, former: tuple[Former, ...]) -> None:
        data = {"former": [{"jwk": dict(okp_jwk(raw)), "ends": ends} for raw, ends in former]}
        try:
            durable.replace(self._former_file, json.dumps(data, indent=1).encode("ascii") + b"\n")
        except OSError as fault:
            raise KeyRingFault(f"{self._former_file}: {fault.strerror}") from None
        self._former = former


def _read(path: Path) -> tuple[Former, ...]:
    try:
        data = members(strict_json.parse_object(path.read_bytes()), {"former"}, "the file")
        return tuple(_former(entry) for entry in items(data["former"], "former"))
    except FileNotFoundError:
        return ()
    except (OSError, Refused, ValueError) as fault:
        raise KeyRingFault(f"{path}: cannot be read: {fault}") from None


def _former(data: Json) -> Former:
    entry = members(data, {"jwk", "ends"}, "a former key")
    return raw_from_jwk(mapping(entry["jwk"], "jwk")), Epoch(float(number(entry["ends"], "ends")))
