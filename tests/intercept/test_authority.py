"""The mesh's authority: what it signs, what it does not, and what clients make of it."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.intercept.authority import (
    AuthorityUnreadable,
    Leaf,
    NotCertified,
    certificates_in,
    new_authority,
    read_authority,
)

NOW = Epoch(time.time())
HOST = "api.example"


def handshake(leaf: Leaf, trusted: bytes, name: str, folder: Path) -> None:
    """OpenSSL on both sides, in memory. Raises ssl.SSLError where the client does not take the certificate."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = folder / "leaf.pem"
    pem.write_bytes(leaf.key + leaf.certificate)
    server_side.load_cert_chain(pem)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client_side = ssl.create_default_context(cadata=trusted.decode())
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    for side in (client, server) * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_a_leaf_is_of_one_host_for_a_day_by_a_p256_key() -> None:
    leaf = new_authority(NOW).mint(HOST, NOW)
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (names.value.get_values_for_type(x509.DNSName), names.critical) == ([HOST], True)
    assert (leaf.starts, leaf.ends, leaf.renewal) == (NOW, NOW + 86_400, NOW + 43_200)
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_client_that_trusts_the_authority_takes_its_leaf_for_that_host_alone(tmp_path: Path) -> None:
    authority = new_authority(NOW)
    leaf = authority.mint(HOST, NOW)
    handshake(leaf, authority.certificate, HOST, tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(leaf, authority.certificate, "other.example", tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(leaf, new_authority(NOW).certificate, HOST, tmp_path)


def test_an_authority_held_to_domains_signs_for_nobody_else_and_clients_would_not_take_it(tmp_path: Path) -> None:
    held = new_authority(NOW, ("api.example", "crm.example"))
    assert held.names == ("api.example", "crm.example")
    handshake(held.mint("eu.api.example", NOW), held.certificate, "eu.api.example", tmp_path)
    for name in ("evil.example", "xapi.example", "example"):
        with pytest.raises(NotCertified, match="outside the domains"):
            held.mint(name, NOW)
    free = read_authority(held.to_pem())
    free.names = ()  # whoever stole the key signs what he likes
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(free.mint("evil.example", NOW), held.certificate, "evil.example", tmp_path)


@pytest.mark.parametrize(
    "name", ["", "-", "API.example", "api.example.", "*.example", "10.0.0.1", "a b.example", "é.example"]
)
def test_what_is_no_name_of_a_host_in_lower_case_gets_no_leaf(name: str) -> None:
    with pytest.raises(NotCertified):
        new_authority(NOW).mint(name, NOW)


def test_no_leaf_outlives_its_authority() -> None:
    authority = new_authority(NOW, life=Seconds(100.0))
    assert authority.mint(HOST, NOW).ends == pytest.approx(NOW + 100, abs=1)
    with pytest.raises(NotCertified, match="expired"):
        authority.mint(HOST, Epoch(NOW + 101))


def test_what_was_written_is_read_back_and_shows_no_key() -> None:
    authority = new_authority(NOW)
    again = read_authority(authority.to_pem())
    assert again.fingerprint == authority.fingerprint
    assert again.fingerprint in repr(again)
    assert "PRIVATE" not in repr(again) + repr(authority.mint(HOST, NOW))
    assert certificates_in(authority.certificate * 2) == (authority.certificate,) * 2


def test_a_key_and_a_certificate_that_do_not_belong_together_are_no_authority() -> None:
    one, other = new_authority(NOW), new_authority(NOW)
    key = one.to_pem().removesuffix(one.certificate)
    leaf = one.mint(HOST, NOW)
    for text in (key + other.certificate, key, one.certificate, b"", b"nonsense", leaf.key + leaf.certificate):
        with pytest.raises(AuthorityUnreadable):
            read_authority(text)


def test_two_authorities_have_two_names() -> None:
    subjects = {x509.load_pem_x509_certificate(new_authority(NOW).certificate).subject for _ in range(3)}
    assert len(subjects) == 3
