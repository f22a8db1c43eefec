"""Bundles: repeatable, and believed by OPA only when whole and signed with the right key."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.compile.compiler import Compiled, compile_policy
from aegis_authz.policy.compile.pack import pack
from aegis_authz.policy.load import Loaded


def entries_of(bundle: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle), mode="r:gz") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers()}  # type: ignore[union-attr]


def packed(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_the_same_input_gives_the_same_bytes(
    compiled: Compiled, signing_key: ec.EllipticCurvePrivateKey, bundle: bytes
) -> None:
    backwards = dict(sorted(rego_library().items(), reverse=True))
    assert pack(compiled, backwards, signing_key, "bundle-key") == bundle


def test_a_bundle_holds_manifest_data_library_and_signature(bundle: bytes, compiled: Compiled) -> None:
    entries = entries_of(bundle)
    assert set(entries) == {".manifest", ".signatures.json", "data.json", *(f"rego/{name}" for name in rego_library())}
    assert json.loads(entries[".manifest"]) == {"revision": compiled.revision, "roots": ["aegis"]}
    assert json.loads(entries["data.json"]) == compiled.data
    assert compiled.data["aegis"]["revision"] == compiled.revision  # type: ignore[index, call-overload]


def test_nothing_in_a_bundle_tells_where_or_when_it_was_made(bundle: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(bundle))) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert {(member.mtime, member.uid, member.gid, member.uname, member.gname) for member in members} == {
        (0, 0, 0, "", "")
    }
    assert bundle[4:8] == b"\0\0\0\0"


def test_the_signature_names_every_file_and_its_hash(bundle: bytes, signing_key: ec.EllipticCurvePrivateKey) -> None:
    entries = entries_of(bundle)
    (token,) = json.loads(entries[".signatures.json"])["signatures"]
    claims = jwt.decode(token, signing_key.public_key(), algorithms=["ES256"])
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "kid": "bundle-key", "typ": "JWT"}
    assert claims.keys() == {"files"}
    assert {item["name"]: item["hash"] for item in claims["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in entries.items() if name != ".signatures.json"
    }


def test_a_revision_that_names_other_content_is_not_packed(
    compiled: Compiled, signing_key: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(ValueError, match="revision"):
        pack(dataclasses.replace(compiled, revision="0" * 24), rego_library(), signing_key, "k")
    with pytest.raises(ValueError, match="revision"):
        pack(compiled, {"answer.rego": "package aegis.authz"}, signing_key, "k")


def test_a_key_of_another_curve_is_refused(compiled: Compiled) -> None:
    with pytest.raises(ValueError, match="P-256"):
        pack(compiled, rego_library(), ec.generate_private_key(ec.SECP384R1()), "k")


def test_opa_runs_a_signed_bundle(opa: Any, compiled: Compiled) -> None:
    assert opa.get("/v1/data/aegis/revision") == compiled.revision
    assert opa.get("/v1/data/aegis/snapshot") == compiled.data["aegis"]["snapshot"]  # type: ignore[index, call-overload]


def _flipped(entries: dict[str, bytes]) -> dict[str, bytes]:
    return {**entries, "data.json": entries["data.json"].replace(b'"limit":10000', b'"limit":99999')}


@pytest.mark.parametrize(
    ("alter", "why"),
    [
        (_flipped, "digest mismatch"),
        (lambda entries: {**entries, "rego/action.rego": entries["rego/action.rego"] + b"\n"}, "digest mismatch"),
        (lambda entries: {**entries, "rego/extra.rego": b"package aegis.authz"}, "not included in bundle signature"),
        (lambda entries: {name: text for name, text in entries.items() if name != "rego/egress.rego"}, "not found"),
        (lambda entries: {name: text for name, text in entries.items() if name != ".signatures.json"}, "missing .sign"),
        (lambda entries: {**entries, ".signatures.json": b'{"signatures":[]}'}, "missing"),
    ],
    ids=["data", "rego", "added file", "removed file", "unsigned", "no signature"],
)
def test_opa_refuses_an_altered_bundle_and_keeps_the_old_one(
    opa: Any, bundle: bytes, compiled: Compiled, alter: Any, why: str
) -> None:
    altered = alter(entries_of(bundle))
    assert altered != entries_of(bundle)
    assert why in opa.offer(packed(altered))
    assert opa.get("/v1/data/aegis/revision") == compiled.revision


def test_opa_refuses_another_key_another_key_id_and_another_scope(
    opa: Any, compiled: Compiled, signing_key: ec.EllipticCurvePrivateKey, bundle: bytes
) -> None:
    stranger = pack(compiled, rego_library(), ec.generate_private_key(ec.SECP256R1()), "bundle-key")
    assert "failed to verify" in opa.offer(stranger)
    entries = entries_of(bundle)
    (token,) = json.loads(entries[".signatures.json"])["signatures"]
    claims = jwt.decode(token, signing_key.public_key(), algorithms=["ES256"])
    rescoped = jwt.encode({**claims, "scope": "other"}, signing_key, "ES256", headers={"kid": "bundle-key"})
    assert "scope mismatch" in opa.offer(packed({**entries, ".signatures.json": canonical({"signatures": [rescoped]})}))
    assert opa.get("/v1/data/aegis/revision") == compiled.revision


def test_opa_takes_the_next_generation(
    opa: Any,
    examples: Loaded,
    trust: dict[str, Any],
    signing_key: ec.EllipticCurvePrivateKey,
    bundle: bytes,
    compiled: Compiled,
) -> None:
    fewer = compile_policy(examples.compiled[:1], examples.tools, trust, "\u2028 <&> \x7f é 😀")
    assert "activated" in opa.offer(pack(fewer, rego_library(), signing_key, "bundle-key"))
    assert opa.get("/v1/data/aegis/revision") == fewer.revision != compiled.revision
    assert "activated" in opa.offer(bundle)
