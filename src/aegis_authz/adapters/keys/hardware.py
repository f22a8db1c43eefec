"""Signing keys in a PKCS#11 token (an HSM, or SoftHSM): EdDSA of PKCS#11 3.0; private halves never leave the token."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import PKCS11Error
from pkcs11.types import SignMixin
from pkcs11.util.ec import encode_named_curve_parameters

from aegis_authz.ports.key_rings import KeyServiceDown

_ED25519 = "1.3.101.112"
"""id-Ed25519 (RFC 8410)."""
_OCTETS = b"\x04\x20"
"""What stands before the 32 bytes of a point that is wrapped as an OCTET STRING."""
_HANDLE = re.compile(r"[0-9a-f]{32}\Z")
_MAX_PIN_BYTES = 256
PIN_VARIABLE = "AEGIS_PKCS11_PIN"


class Pkcs11KeyStore:
    """`ports.KeyStore` on a token. The handle of a key is its CKA_ID in hex. Every method blocks on the token."""

    def __init__(self, module: Path, token: str, label: str, pin: Callable[[], str]) -> None:
        self._module = module
        self._token = token
        self._label = label
        self._pin = pin
        self._turn = threading.Lock()

    def close(self) -> None:
        """Nothing is kept open."""

    def make(self) -> str:
        """Make another key; returns its handle. Raises KeyServiceDown."""
        handle = secrets.token_hex(16)
        with self._session(writes=True) as session:
            curve = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: encode_named_curve_parameters(_ED25519)}, local=True
            )
            curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                store=True,
                id=bytes.fromhex(handle),
                label=self._label,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
        return handle

    def public_key(self, handle: str) -> bytes:
        """The raw public half of a key. Raises KeyServiceDown."""
        with self._session() as session:
            key = session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=_id(handle))
            point = bytes(key[Attribute.EC_POINT])
        return point.removeprefix(_OCTETS) if len(point) == 34 else point

    def sign(self, handle: str, message: bytes) -> bytes:
        """The signature of the message by that key. Raises KeyServiceDown."""
        with self._session() as session:
            key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=_id(handle))
            if not isinstance(key, SignMixin):
                raise KeyServiceDown(f"pkcs11: token {self._token!r}: the key does not sign")
            return bytes(key.sign(message, mechanism=Mechanism.EDDSA))

    def retire(self, handle: str, successor: str) -> None:
        """Destroy the private half of a key. Raises KeyServiceDown."""
        with self._session(writes=True) as session:
            session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=_id(handle)).destroy()

    @contextmanager
    def _session(self, *, writes: bool = False) -> Iterator[pkcs11.Session]:
        """A session of its own: one that an HSM dropped harms nothing later. Names no PIN in any fault."""
        with self._turn:
            try:
                token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
                with token.open(rw=writes, user_pin=self._pin()) as session:
                    yield session
            except (PKCS11Error, RuntimeError, OSError) as fault:
                raise KeyServiceDown(f"pkcs11: token {self._token!r}: {type(fault).__name__}") from None


def _id(handle: str) -> bytes:
    if _HANDLE.match(handle) is None:
        raise KeyServiceDown("pkcs11: the handle of the key is not an id")
    return bytes.fromhex(handle)


def pin_source(file: Path | None) -> Callable[[], str]:
    """Reads the PIN from the file, or from AEGIS_PKCS11_PIN of the environment, each time; never shows it.

    It raises KeyServiceDown.
    """

    def read() -> str:
        if file is None:
            pin = os.environ.get(PIN_VARIABLE, "")
        else:
            try:
                with file.open("rb") as opened:
                    pin = opened.read(_MAX_PIN_BYTES).decode("utf-8").strip()
            except (OSError, UnicodeDecodeError) as fault:
                raise KeyServiceDown(f"pkcs11: the PIN file {file} cannot be read ({type(fault).__name__})") from None
        if not pin:
            raise KeyServiceDown(f"pkcs11: no PIN in {file or PIN_VARIABLE}")
        return pin

    return read
