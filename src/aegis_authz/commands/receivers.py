"""Which receiver a URL names: `splunk+https://`, `otlp+https://`, `syslog+tls://`, and on loopback without TLS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from aegis_authz.adapters.siem.http import HttpPoster
from aegis_authz.adapters.siem.splunk import SplunkCollector
from aegis_authz.adapters.siem.syslog import Syslog
from aegis_authz.adapters.tls import TlsUnusable, client_context
from aegis_authz.commands.faults import Unable
from aegis_authz.ports.receiver import Receiver

TOKEN_VARIABLE = "AEGIS_EXPORT_TOKEN"  # noqa: S105  # the name of a variable
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
_PORTS = {"splunk": 8088, "otlp": 4318, "syslog": 6514}
_SCHEMES = {
    "splunk+https": True,
    "splunk+http": False,
    "otlp+https": True,
    "otlp+http": False,
    "syslog+tls": True,
    "syslog+tcp": False,
}
"""The schemes, and whether they are encrypted."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where events go. `token_file` holds a secret: of Splunk its token, of OTLP the `authorization` header's value.

    `ca` verifies the receiver in place of the system's authorities; `certificate` is this client's, with its key.
    `name` is that of this mesh at the receiver.
    """

    url: str
    token_file: Path | None
    ca: Path | None
    certificate: Path | None
    index: str
    acks: bool
    name: str


def open_receiver(destination: Destination, version: str, environment: Mapping[str, str] = os.environ) -> Receiver:
    """The receiver that the URL names. Raises Unable with what to change."""
    url = urlsplit(destination.url)
    port = _port(url)
    if url.scheme not in _SCHEMES or not url.hostname or port is None or url.username is not None:
        raise Unable(f"--to is one of {', '.join(_SCHEMES)}://HOST[:PORT], without a user, not {_shown(url)}")
    is_encrypted = _SCHEMES[url.scheme]
    if not is_encrypted and url.hostname not in _LOOPBACK:
        raise Unable(f"events go unencrypted to loopback alone: use {_encrypted(url)}://{url.hostname}")
    try:
        tls = client_context(destination.ca, destination.certificate) if is_encrypted else None
        token = _token(destination.token_file, environment)
    except (TlsUnusable, OSError, UnicodeDecodeError) as fault:
        raise Unable(f"the receiver's files cannot be used: {fault}") from None
    return _OPENERS[url.scheme.split("+")[0]](url, port, tls, token, destination, version)


def _splunk(
    url: SplitResult, port: int, tls: ssl.SSLContext | None, token: str, destination: Destination, version: str
) -> Receiver:
    if not token:
        raise Unable(f"Splunk needs a token: --token-file FILE or {TOKEN_VARIABLE}")
    base = _base(url, port, tls)
    return SplunkCollector(base, token, HttpPoster(tls), destination.index, destination.name, destination.acks)


def _otlp(
    url: SplitResult, port: int, tls: ssl.SSLContext | None, token: str, destination: Destination, version: str
) -> Receiver:
    from aegis_authz.adapters.siem.otlp_logs import OtlpLogs  # its messages have namesakes: only where they are sent

    headers = {"authorization": token} if token else {}
    return OtlpLogs(_base(url, port, tls), headers, HttpPoster(tls), destination.name, version)


def _syslog(
    url: SplitResult, port: int, tls: ssl.SSLContext | None, token: str, destination: Destination, version: str
) -> Receiver:
    return Syslog(url.hostname or "", port, tls, destination.name)


_OPENERS: Mapping[str, Callable[..., Receiver]] = {"splunk": _splunk, "otlp": _otlp, "syslog": _syslog}


def _base(url: SplitResult, port: int, tls: ssl.SSLContext | None) -> str:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{'http' if tls is None else 'https'}://{host}:{port}{url.path.rstrip('/')}"


def _port(url: SplitResult) -> int | None:
    try:
        return url.port if url.port is not None else _PORTS.get(url.scheme.split("+")[0])
    except ValueError:
        return None


def _encrypted(url: SplitResult) -> str:
    kind = url.scheme.split("+")[0]
    return next(scheme for scheme, is_encrypted in _SCHEMES.items() if is_encrypted and scheme.startswith(kind))


def _shown(url: SplitResult) -> str:
    return f"{url.scheme}://{url.hostname or ''}"  # what else is in it may be a secret


def _token(file: Path | None, environment: Mapping[str, str]) -> str:
    token = environment.get(TOKEN_VARIABLE, "") if file is None else file.read_text("utf-8")
    token = token.strip()
    if not token.isascii() or not token.isprintable():
        raise Unable("the receiver's token is no line of printable ASCII")
    return token
