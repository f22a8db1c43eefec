"""From when until when certificates hold, of real files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.files.certificate_dates import CertificateDates, CertificateFile
from aegis_authz.core.certificate_life import CertificateLife

KEY = Ed25519PrivateKey.generate()
NAME = x509.Name([])


def pem(starts: int, ends: int) -> bytes:
    """A certificate of its own that holds from then until then."""
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(datetime.fromtimestamp(starts, UTC))
    return builder.not_valid_after(datetime.fromtimestamp(ends, UTC)).sign(KEY, None).public_bytes(Encoding.PEM)


def life(path: Path, *, authorities: bool = False) -> CertificateLife | None:
    return CertificateDates({"listener": CertificateFile(path, authorities)}).read()["listener"]


def test_of_what_is_shown_that_counts_which_ends_first_and_its_key_may_stand_beside_it(tmp_path: Path) -> None:
    key = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "chain.pem"
    path.write_bytes(key + pem(1_000, 9_000) + pem(2_000, 5_000))
    assert life(path) == CertificateLife(2_000, 5_000)


def test_of_authorities_that_counts_which_ends_last(tmp_path: Path) -> None:
    path = tmp_path / "trusted.pem"
    path.write_bytes(pem(1_000, 9_000) + pem(2_000, 5_000))
    assert life(path, authorities=True) == CertificateLife(1_000, 9_000)


@pytest.mark.parametrize("content", [None, b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])  # fmt: skip
def test_what_cannot_be_read_is_said_once_and_again_after_it_could_be(
    content: bytes | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "server.pem"
    dates = CertificateDates({"listener": CertificateFile(path, authorities=False)})

    def write() -> None:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)

    write()
    assert [dates.read() for _ in range(2)] == [{"listener": None}] * 2
    assert caplog.text.count("when the certificate listener ends cannot be told") == 1
    path.write_bytes(pem(1_000, 9_000))
    assert dates.read() == {"listener": CertificateLife(1_000, 9_000)}
    write()
    dates.read()
    assert caplog.text.count("when the certificate listener ends cannot be told") == 2
