"""TLS of the control plane: what its server shows and believes, and what whoever administers it does.

TLS 1.3 alone, and no session is resumed: each connection proves anew who it is from, by the authorities of now.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret

_log = logging.getLogger(__name__)
_TICK_SECONDS = 60.0
_MOST_KEY_BYTES = 64 * 1024

Marks = tuple[tuple[int, int, int], ...]


class TlsUnusable(Exception):
    """A certificate, its key or the authorities of clients cannot be used; the message is fit to show, and no key."""


class ServerTls:
    """What a server shows and asks for in TLS. A client may show a certificate of `client_ca`, or none at all."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        """Files in PEM; `certificate` begins with the server's own. Raises TlsUnusable."""
        self._certificate, self._key = certificate, key
        self.context = _context()
        if client_ca is not None:
            try:
                self.context.load_verify_locations(client_ca)
            except OSError as fault:  # that of ssl names no file
                raise TlsUnusable(f"{client_ca}: no certificate authorities: {_why(fault)}") from None
            self.context.verify_mode = ssl.CERT_OPTIONAL
        self._marks = self._load()

    def refresh(self) -> bool:
        """Show new connections the certificate that is there now; whether it is another. Raises TlsUnusable.

        What cannot be used, as while two files are replaced one after the other, leaves the former in place.
        """
        if self._read_marks() == self._marks:
            return False
        self._marks = self._load()
        return True

    async def watch(self) -> None:
        """Look for another certificate once a minute, until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                if await asyncio.to_thread(self.refresh):
                    _log.info("another certificate is shown from now on: %s", self._certificate)
            except TlsUnusable as fault:
                _log.error("the former certificate goes on: %s", fault)

    def _load(self) -> Marks:
        marks = self._read_marks()
        for context in (_context(), self.context):  # tried first: a pair that does not fit must not half replace one
            _show(context, self._certificate, self._key)
        return marks

    def _read_marks(self) -> Marks:
        try:
            states = [path.stat() for path in (self._certificate, self._key)]
        except OSError as fault:
            raise TlsUnusable(f"{fault.filename}: {fault.strerror}") from None
        return tuple((state.st_ino, state.st_mtime_ns, state.st_size) for state in states)


def client_context(authorities: Path | None, certificate: Path | None) -> ssl.SSLContext:
    """How a server is verified, None: as usual, and the certificate, with its key, to show it. Raises TlsUnusable."""
    import httpx  # what only serves TLS, as an authorizer does, comes without

    try:
        context = (
            httpx.create_ssl_context(trust_env=False)
            if authorities is None
            else ssl.create_default_context(cafile=authorities)
        )
    except OSError as fault:  # that of ssl names no file
        raise TlsUnusable(f"{authorities}: no certificate authorities: {_why(fault)}") from None
    if certificate is not None:
        _show(context, certificate, certificate)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        read_secret(key, _MOST_KEY_BYTES)  # refuses one that others can read
        context.load_cert_chain(certificate, key, password=_no_password)
    except SecretUnusable as fault:
        raise TlsUnusable(str(fault)) from None
    except (OSError, ValueError) as fault:
        raise TlsUnusable(f"{certificate} and {key} are no pair to use: {_why(fault)}") from None


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    return context


def _no_password() -> str:
    """OpenSSL would ask the terminal for one."""
    raise ValueError("the key is encrypted")


def _why(fault: OSError | ValueError) -> str:
    if isinstance(fault, ssl.SSLError):
        return fault.reason or "not PEM"
    return str(getattr(fault, "strerror", None) or fault)
