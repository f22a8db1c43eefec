"""What a server of ours shows in TLS, which clients it believes, and certificates that are replaced meanwhile."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from aegis_authz.adapters.tls import ServerTls, TlsUnusable, client_context
from tests.support.authority import Authority

HOST = x509.DNSName("localhost")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def pair(authority: Authority, folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate and its key, each in a file of its own."""
    pem = authority.leaf(f"{name}.both", HOST).read_text()
    key, _, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_text(f"-----BEGIN CERTIFICATE-----{rest}")
    key_file.write_text(key)
    key_file.chmod(0o600)
    return certificate_file, key_file


def trusting(authority: Authority, certificate: Path | None = None) -> ssl.SSLContext:
    if certificate is not None:
        certificate.chmod(0o600)
    return client_context(authority.file, certificate)


async def serial_seen(tls: ServerTls, client: ssl.SSLContext) -> tuple[int, str, bytes | None]:
    """The serial number that a server shows, the version spoken, and the certificate that it saw."""
    seen: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        writer.write(b"x")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port, ssl=client, family=2)
        try:
            if await reader.read() != b"x":  # with TLS 1.3 a client hears only then that it was refused
                raise ConnectionError("hung up")
            shown = writer.get_extra_info("ssl_object")
            certificate = x509.load_der_x509_certificate(shown.getpeercert(binary_form=True))
            return certificate.serial_number, shown.version(), await seen
        finally:
            writer.close()


async def test_a_client_that_trusts_the_authority_speaks_tls_1_3(authority: Authority, tmp_path: Path) -> None:
    certificate, key = pair(authority, tmp_path, "server")
    _, version, seen = await serial_seen(ServerTls(certificate, key, None), trusting(authority))
    assert (version, seen) == ("TLSv1.3", None)
    old = trusting(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await serial_seen(ServerTls(certificate, key, None), old)


async def test_a_client_shows_a_certificate_of_the_authorities_or_none_and_no_other(
    authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "strangers").mkdir()
    strangers = Authority(tmp_path / "strangers")
    own, foreign = authority.leaf("ann.pem", x509.RFC822Name("ann@acme.example")), strangers.leaf("eve.pem", HOST)
    tls = ServerTls(*pair(authority, tmp_path, "server"), authority.file)
    shown = x509.load_pem_x509_certificate(own.read_bytes()).public_bytes(serialization.Encoding.DER)
    assert (await serial_seen(tls, trusting(authority, own)))[2] == shown
    assert (await serial_seen(tls, trusting(authority)))[2] is None
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await serial_seen(tls, trusting(authority, foreign))


async def test_another_certificate_is_shown_once_both_its_files_are_there(authority: Authority, tmp_path: Path) -> None:
    certificate, key = pair(authority, tmp_path, "server")
    tls, client = ServerTls(certificate, key, None), trusting(authority)
    first = (await serial_seen(tls, client))[0]
    assert not tls.refresh()
    next_certificate, next_key = pair(authority, tmp_path, "next")
    os.replace(next_certificate, certificate)
    with pytest.raises(TlsUnusable, match="are no pair to use: KEY_VALUES_MISMATCH"):
        tls.refresh()
    assert (await serial_seen(tls, client))[0] == first
    os.replace(next_key, key)
    assert tls.refresh()
    assert (await serial_seen(tls, client))[0] != first
    assert not tls.refresh()


def test_what_cannot_be_used_is_named_and_no_key_is_shown(authority: Authority, tmp_path: Path) -> None:
    certificate, key = pair(authority, tmp_path, "server")
    secret = key.read_text().splitlines()[1]
    text, locked = tmp_path / "text", tmp_path / "locked.key"
    text.write_text("no PEM")
    text.chmod(0o600)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    locked.write_bytes(private.private_bytes(*form, serialization.BestAvailableEncryption(b"pass")))
    locked.chmod(0o600)
    away = tmp_path / "away"
    for files, message in (
        ((away, key, None), f"{away}: No such file"),
        ((certificate, away, None), f"{away}: No such file"),
        ((certificate, text, None), "are no pair to use"),
        ((text, key, None), "are no pair to use"),
        ((certificate, locked, None), "the key is encrypted"),
        ((certificate, key, away), "no certificate authorities: No such file"),
        ((certificate, key, text), "no certificate authorities"),
    ):
        with pytest.raises(TlsUnusable, match=message) as fault:
            ServerTls(*files)
        assert secret not in str(fault.value)
    key.chmod(0o644)
    with pytest.raises(TlsUnusable, match="lets others use this secret"):
        ServerTls(certificate, key, None)


async def test_a_client_believes_the_usual_authorities_where_it_names_none(
    authority: Authority, tmp_path: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await serial_seen(ServerTls(*pair(authority, tmp_path, "server"), None), client_context(None, None))
    for files, message in (
        ((tmp_path / "away", None), "no certificate authorities: No such file"),
        ((None, tmp_path / "away"), "away: no such file"),
        ((None, authority.file), "lets others use this secret"),
    ):
        with pytest.raises(TlsUnusable, match=message):
            client_context(*files)
