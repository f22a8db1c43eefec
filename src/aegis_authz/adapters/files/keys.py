"""The folder of private keys and bearer tokens: made once, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from aegis_authz import durable
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.adapters.system import SystemIds
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.jwk import okp_jwk, raws_from_jwks
from aegis_authz.encoding.strict_json import parse_object

ISSUER, APPROVALS, BUNDLE, RECORDS = "issuer.pem", "approvals.pem", "bundle.pem", "records.pem"
ROOT = "root.pem"
ROOT_PUBLIC, RECORDS_PUBLIC = "root.pub.pem", "records.pub.json"
ADMIN_TOKEN, OPA_TOKEN, SESSIONS = "admin.token", "opa.token", "sessions.keys"
_TOKEN = re.compile(r"[0-9a-f]{64}\Z")
_MAX_PUBLIC_BYTES, _MOST_PUBLISHED = 65_536, 100
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey


class KeyFolderError(Exception):
    """A key file is missing, unreadable, readable by others or not what it should be; fit to show, holds no key."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a key folder holds. Secrets stay out of its repr.

    `root` signs which keys sign bundles: it is what OPA's own configuration names, and is not replaced in use.
    """

    issuer: Ed25519PrivateKey = field(repr=False)
    approvals: Ed25519PrivateKey = field(repr=False)
    bundle: EllipticCurvePrivateKey = field(repr=False)
    root: EllipticCurvePrivateKey = field(repr=False)
    records: Ed25519PrivateKey = field(repr=False)
    admin_token: str = field(repr=False)
    opa_token: str = field(repr=False)


def open_keys(folder: Path) -> Keys:
    """Make whatever is missing in the folder, then load all of it.

    Files are made whole or not at all, mode 0600, and never replaced: of two processes that start
    together one writes and both read the same. Raises KeyFolderError.
    """
    make_secrets(folder, tuple(_MAKERS))
    load_session_keys(folder / SESSIONS)
    return load_keys(folder)


def make_secrets(folder: Path, names: Sequence[str]) -> None:
    """Make those of these files that are missing: whole or not at all, mode 0600. Raises KeyFolderError."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in names:
            if not (folder / name).exists():
                durable.create(folder / name, _MAKERS[name]())
    except OSError as fault:
        raise KeyFolderError(f"{folder}: {fault.strerror}") from None


def load_keys(folder: Path) -> Keys:
    """What a control plane needs of an existing folder; its public halves are brought up to date.

    Raises KeyFolderError.
    """
    keys = Keys(
        issuer=load_ed25519(folder / ISSUER),
        approvals=load_ed25519(folder / APPROVALS),
        bundle=load_p256(folder / BUNDLE),
        root=load_p256(folder / ROOT),
        records=load_ed25519(folder / RECORDS),
        admin_token=load_token(folder / ADMIN_TOKEN),
        opa_token=load_token(folder / OPA_TOKEN),
    )
    publish_record_keys(folder, keys.records.public_key().public_bytes_raw())
    _publish(folder / ROOT_PUBLIC, public_pem(keys.root))
    return keys


def publish_record_keys(folder: Path, *raws: bytes) -> None:
    """Publish these raw public keys of records before those published already. Raises KeyFolderError."""
    path = folder / RECORDS_PUBLIC
    keys = {"keys": _record_keys(path, raws)}
    _publish(path, json.dumps(keys, indent=2).encode("ascii") + b"\n")


def load_signing_key(path: Path) -> PrivateKey:
    """The private key, Ed25519 or P-256, of a PEM file that only its owner can read. Raises KeyFolderError."""
    try:
        key = load_pem_private_key(_secret(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFolderError(f"{path}: not an unencrypted PEM private key") from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise KeyFolderError(f"{path}: neither an Ed25519 nor an EC P-256 private key")


def load_ed25519(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 private key of a PEM file that only its owner can read. Raises KeyFolderError."""
    key = load_signing_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFolderError(f"{path}: not an Ed25519 private key")
    return key


def load_p256(path: Path) -> EllipticCurvePrivateKey:
    """The P-256 private key of a PEM file that only its owner can read. Raises KeyFolderError."""
    key = load_signing_key(path)
    if not isinstance(key, EllipticCurvePrivateKey):
        raise KeyFolderError(f"{path}: not an EC P-256 private key")
    return key


def load_token(path: Path) -> str:
    """The 256-bit bearer token of a file that only its owner can read, 64 hex digits. Raises KeyFolderError."""
    token = _secret(path).decode("ascii", "replace").strip()
    if _TOKEN.match(token) is None:
        raise KeyFolderError(f"{path}: not a token of 64 lower-case hex digits")
    return token


def load_session_keys(path: Path) -> tuple[bytes, ...]:
    """The 256-bit keys of MCP sessions, one a line in 64 hex digits: that of new sessions, and at most one before it.

    Raises KeyFolderError.
    """
    lines = _secret(path).decode("ascii", "replace").split()
    if not 0 < len(lines) <= 2 or not all(map(_TOKEN.match, lines)):
        raise KeyFolderError(f"{path}: not one or two keys, each 64 lower-case hex digits on a line of its own")
    return tuple(map(bytes.fromhex, lines))


def rotate_session_keys(path: Path) -> None:
    """Put a new key first; sessions of the one before go on, and those of the one before that begin anew.

    Raises KeyFolderError.
    """
    newest = load_session_keys(path)[0]
    try:
        durable.replace(path, _new_token() + b"\n" + newest.hex().encode("ascii") + b"\n")
    except OSError as fault:
        raise KeyFolderError(f"{path}: {fault.strerror}") from None


def public_pem(key: PrivateKey) -> bytes:
    """The public half as PEM (SubjectPublicKeyInfo), as OPA wants it to verify signatures."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _secret(path: Path) -> bytes:
    try:
        return read_secret(path)
    except SecretUnusable as fault:
        raise KeyFolderError(str(fault)) from None


def _record_keys(path: Path, raws: tuple[bytes, ...]) -> list[dict[str, str]]:
    """These public keys, and those published before: what they signed must still verify. At most 100."""
    published: tuple[bytes, ...] = ()
    try:
        if path.exists():
            published = raws_from_jwks(parse_object(path.read_bytes()[:_MAX_PUBLIC_BYTES]))
    except OSError as fault:
        raise KeyFolderError(f"{path}: {fault.strerror}") from None
    except (ValueError, Refused):
        published = ()  # what went wrong is written anew
    return [okp_jwk(raw) for raw in dict.fromkeys([*raws, *published])][:_MOST_PUBLISHED]


def _publish(path: Path, content: bytes) -> None:
    try:
        if path.exists() and path.read_bytes() == content:
            return
        durable.replace(path, content, 0o644)
    except OSError as fault:
        raise KeyFolderError(f"{path}: {fault.strerror}") from None


def _private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_ed25519_pem() -> bytes:
    """A new private key as PEM."""
    return _private_pem(Ed25519PrivateKey.generate())


def new_p256_pem() -> bytes:
    """A new private key as PEM."""
    return _private_pem(generate_private_key(SECP256R1()))


def _new_token() -> bytes:
    ids = SystemIds()
    return (ids.token() + ids.token()).encode("ascii")


_MAKERS: dict[str, Callable[[], bytes]] = {
    ISSUER: new_ed25519_pem,
    APPROVALS: new_ed25519_pem,
    BUNDLE: new_p256_pem,
    ROOT: new_p256_pem,
    RECORDS: new_ed25519_pem,
    ADMIN_TOKEN: _new_token,
    OPA_TOKEN: _new_token,
    SESSIONS: _new_token,
}
