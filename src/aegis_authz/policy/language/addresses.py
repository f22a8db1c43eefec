"""Where a tool is, which requests are an action, which file belongs to a document: texts of the catalogue."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from aegis_authz.core.path_template import read_template
from aegis_authz.core.release import BINARY_SUFFIXES
from aegis_authz.policy.language.types import host_name
from aegis_authz.policy.source.problems import quoted

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY")
_QUERY = re.compile(r"(?:(?:\A|&)[A-Za-z0-9._~%+:@$,/!*'()-]+(?:=[A-Za-z0-9._~%+:@$,/!*'()=-]*)?)*\Z")


def address_of(value: str) -> str:
    """A host, and a port if any, in one spelling. Raises ValueError."""
    name, _, port = value.partition(":")
    if ":" in value and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"{quoted(value)} has no port between 1 and 65535 after the colon")
    return f"{host_name(name)}:{int(port)}" if port else host_name(name)


def upstream_of(value: str) -> str:
    """Where a tool really is, in one spelling. Raises ValueError."""
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError(f"{quoted(value)} is not a URL") from None
    if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or "#" in value:
        raise ValueError("must be http:// or https://, a host, a port if any and, for MCP, the path and query")
    netloc = host_name(url.hostname) + (f":{port}" if port is not None else "")
    path = _path(url.path) if url.path else ""
    if not _QUERY.match(url.query) or value.endswith("?"):
        raise ValueError("has a query that is not name=value, joined by & and percent-encoded where need be")
    return f"{url.scheme}://{netloc}{path}{'?' if url.query else ''}{url.query}"


def _path(value: str) -> str:
    segments = value[1:].split("/")
    if not value.startswith("/") or any(part in (".", "..") for part in segments):
        raise ValueError(f"{quoted(value)} is not a path that starts with / and does not climb")
    if any(not part for part in segments[:-1]):
        raise ValueError(f"{quoted(value)} has an empty segment")
    return value


def match_of(value: str) -> str:
    """A method and the template of a path. Raises ValueError."""
    method, _, path = value.partition(" ")
    if method not in _METHODS:
        raise ValueError(f"must be a method and a path, such as POST /v1/payments; methods are {', '.join(_METHODS)}")
    read_template(tuple(_path(path)[1:].split("/")))
    return value


def file_beside(value: str) -> str:
    """The name of a descriptor set beside a document. Raises ValueError."""
    path = PurePosixPath(value)
    if not value.isprintable() or str(path) != value or path.is_absolute() or ".." in path.parts:
        raise ValueError("must be the name of a file beside this document or in a folder below it")
    if path.suffix.lower() not in BINARY_SUFFIXES:
        raise ValueError(f"must end in {', '.join(sorted(BINARY_SUFFIXES))}")
    return value
