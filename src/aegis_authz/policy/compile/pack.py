"""A compiled generation as a signed OPA bundle: the same input gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt.algorithms import AllowedECKeys, ECAlgorithm

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.compiler import Compiled, content_of, revision_of

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no name, no time, unknown system (RFC 1952)


def pack(
    compiled: Compiled,
    rego: Mapping[str, str],
    signing_key: EllipticCurvePrivateKey,
    key_id: str,
) -> bytes:
    """Pack and sign a bundle (OPA documentation, "Bundle File Format" and "Signing").

    `rego` must be the library `compiled` was made with; `signing_key` is a P-256 key whose public half OPA
    knows as `key_id`, without a scope. Returns a gzip-compressed tar file. Raises ValueError otherwise.
    """
    if not isinstance(signing_key.curve, SECP256R1):
        raise ValueError("bundles are signed with a P-256 key (ES256)")  # noqa: TRY004  # a wrong value
    if revision_of(content_of(compiled), rego) != compiled.revision:
        raise ValueError("the revision does not name this data and this library")
    # Canonical text: its plain hash is the hash OPA takes of the parsed file.
    entries = {
        ".manifest": canonical({"revision": compiled.revision, "roots": ["aegis"]}),
        "data.json": canonical(compiled.data),
        **{f"rego/{name}": text.encode("utf-8") for name, text in rego.items()},
    }
    return signed_archive(entries, signing_key, key_id)


def signed_archive(entries: Mapping[str, bytes], signing_key: EllipticCurvePrivateKey, key_id: str) -> bytes:
    """A bundle of these files, signed. Those of JSON must be in canonical form."""
    signatures = canonical({"signatures": [_signature(entries, signing_key, key_id)]})
    return _gzip(_tar({**entries, ".signatures.json": signatures}))


class _RepeatableES256(ECAlgorithm):
    """ES256 with the nonce of RFC 6979, so that signing twice gives the same bytes."""

    def sign(self, msg: bytes, key: AllowedECKeys) -> bytes:
        if not isinstance(key, EllipticCurvePrivateKey):
            raise TypeError("signing needs a private key")
        r, s = decode_dss_signature(key.sign(msg, ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _signature(entries: Mapping[str, bytes], signing_key: EllipticCurvePrivateKey, key_id: str) -> str:
    listed: list[Json] = [
        {"name": name, "hash": hashlib.sha256(entries[name]).hexdigest(), "algorithm": "SHA-256"}
        for name in sorted(entries)
    ]
    signer = jwt.PyJWS()
    signer.unregister_algorithm("ES256")
    signer.register_algorithm("ES256", _RepeatableES256(ECAlgorithm.SHA256, SECP256R1))
    payload = canonical({"files": listed})
    return signer.encode(payload, signing_key, algorithm="ES256", headers={"kid": key_id}, sort_headers=True)


def _tar(entries: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(entries):
            member = tarfile.TarInfo(name)
            member.size = len(entries[name])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(entries[name]))
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    # Level 0 (stored): compressed bytes differ between versions of zlib, stored ones do not.
    deflate = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return _GZIP_HEADER + body + zlib.crc32(data).to_bytes(4, "little") + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
