"""A signing key in a key service, replaced while it is in use.

The folder of keys holds its public halves and handles alone (NAME.ring.json), so whoever verifies goes on while the
service is away, and nothing is signed then.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk, thumbprint
from aegis_authz.encoding.narrowing import items, mapping, members, number, text
from aegis_authz.ports.key_rings import KeyRingFault, KeyServiceDown, KeyStore

_log = logging.getLogger(__name__)
_MEMBERS = {"current", "next", "former"}
_KEY = {"handle", "jwk", "since"}


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key of a service: `ports.SigningKey`. What the service signs is verified before it is used."""

    store: KeyStore
    handle: str
    raw: bytes
    since: Epoch

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""
        return Ed25519PublicKey.from_public_bytes(self.raw)

    def sign(self, data: bytes, /) -> bytes:
        """The signature of the data. Raises KeyServiceDown, also for a signature that is not this key's."""
        signature = self.store.sign(self.handle, data)
        try:
            self.public_key().verify(signature, data)
        except InvalidSignature:
            raise KeyServiceDown("the key service signed with another key than the one it was asked for") from None
        return signature


@dataclass(frozen=True, slots=True)
class _State:
    current: StoredKey
    coming: StoredKey | None
    former: tuple[tuple[bytes, Epoch], ...]


class StoredKeyRing:
    """`ports.KeyRing` on a key service and a file of public halves that one process changes."""

    def __init__(self, folder: Path, name: str, store: KeyStore, now: Callable[[], Epoch]) -> None:
        """Read the ring, or begin it with a new key. Raises KeyRingFault; only beginning needs the service."""
        self._file = folder / f"{name}.ring.json"
        self._store = store
        self._now = now
        state = self._read()
        if state is None:
            state = _State(self._made(), None, ())
            self._write(state)
        self._state = state

    @property
    def signing_key(self) -> StoredKey:
        """What signs now."""
        return self._state.current

    @property
    def key_id(self) -> str:
        """The thumbprint of the key that signs now."""
        return thumbprint(self._state.current.raw)

    @property
    def since(self) -> Epoch:
        """When the key that signs now was made."""
        return self._state.current.since

    def trusted(self, now: Epoch) -> tuple[Ed25519PublicKey, ...]:
        """What is to be believed: the key that signs, the next one, and former ones whose time is not over."""
        state = self._state
        own = [key.raw for key in (state.current, state.coming) if key is not None]
        raws = dict.fromkeys((*own, *(raw for raw, ends in state.former if ends > now)))
        return tuple(Ed25519PublicKey.from_public_bytes(raw) for raw in raws)

    def is_outlived(self, now: Epoch) -> bool:
        """Whether a former key's time is over."""
        return any(ends <= now for _, ends in self._state.former)

    def prepare(self) -> None:
        """Make the next key, unless there is one. Raises KeyRingFault."""
        if self._state.coming is None:
            self._write(replace(self._state, coming=self._made()))

    def switch(self, ends: Epoch) -> None:
        """Sign with the next key from now on; the one so far verifies until `ends` and signs no more.

        Raises KeyRingFault.
        """
        state = self._state
        if state.coming is None:
            raise KeyRingFault("there is no next key")
        self._write(_State(state.coming, None, (*state.former, (state.current.raw, ends))))
        try:
            self._store.retire(state.current.handle, state.coming.handle)
        except KeyServiceDown as fault:
            _log.warning("the former key can still sign, though nobody asks it to: %s", fault)

    def drop(self, now: Epoch) -> None:
        """Forget the former keys whose time is over. Raises KeyRingFault."""
        self._write(replace(self._state, former=tuple(entry for entry in self._state.former if entry[1] > now)))

    def _made(self) -> StoredKey:
        handle = self._store.make()
        return StoredKey(self._store, handle, _strong(self._store.public_key(handle)), self._now())

    def _write(self, state: _State) -> None:
        data: dict[str, Json] = {
            "current": _key_to_data(state.current),
            "next": None if state.coming is None else _key_to_data(state.coming),
            "former": [{"jwk": dict(okp_jwk(raw)), "ends": ends} for raw, ends in state.former],
        }
        try:
            durable.replace(self._file, json.dumps(data, indent=1).encode("ascii") + b"\n")
        except OSError as fault:
            raise KeyRingFault(f"{self._file}: {fault.strerror}") from None
        self._state = state

    def _read(self) -> _State | None:
        try:
            data = members(strict_json.parse_object(self._file.read_bytes()), _MEMBERS, "the file")
            coming = data["next"]
            return _State(
                self._key(data["current"]),
                None if coming is None else self._key(coming),
                tuple(_former(entry) for entry in items(data["former"], "former")),
            )
        except FileNotFoundError:
            return None
        except (OSError, Refused, ValueError) as fault:
            raise KeyRingFault(f"{self._file}: cannot be read: {fault}") from None

    def _key(self, data: Json) -> StoredKey:
        entry = members(data, _KEY, "a key")
        raw = raw_from_jwk(mapping(entry["jwk"], "jwk"))
        return StoredKey(self._store, text(entry["handle"], "handle"), raw, _time(entry["since"], "since"))


def _key_to_data(key: StoredKey) -> Json:
    return {"handle": key.handle, "jwk": dict(okp_jwk(key.raw)), "since": key.since}


def _former(data: Json) -> tuple[bytes, Epoch]:
    entry = members(data, {"jwk", "ends"}, "a former key")
    return raw_from_jwk(mapping(entry["jwk"], "jwk")), _time(entry["ends"], "ends")


def _time(data: Json, label: str) -> Epoch:
    return Epoch(float(number(data, label)))


def _strong(raw: bytes) -> bytes:
    try:
        okp_jwk(raw)
    except ValueError as fault:
        raise KeyRingFault(f"the key service made a key that cannot be used: {fault}") from None
    return raw
