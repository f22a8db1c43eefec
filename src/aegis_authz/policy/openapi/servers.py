"""The servers of a description and of its operations: the host that agents call, and the path below which all lies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from aegis_authz.core.json_value import Json
from aegis_authz.policy.openapi.references import Description, ReferenceUnresolved

_VARIABLE = re.compile(r"\{([^{}]+)\}")
_PORTS = {"http": 80, "https": 443}


class ServersUnreadable(Exception):
    """`servers` is not what a description has there; the message names the member."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: `host`, with its port where that is not the scheme's, "" where nothing says it; and `base`,
    the path below which its paths lie, "" for the root. It `is_relative` where it is on the host of the description.
    """

    host: str
    base: str
    is_relative: bool


def address_of(description: Description, holder: Mapping[str, Json], location: str) -> Address | None:
    """The address of the first server that a description, a path or an operation names, None where it names none.

    `location` is the URL to which addresses are relative, "" for none. Raises ServersUnreadable.
    """
    servers = holder.get("servers")
    if servers is None:
        return None
    if not isinstance(servers, list):
        raise ServersUnreadable("servers is no list")
    if not servers:
        return None
    try:
        first = description.resolved(servers[0]) if isinstance(servers[0], Mapping) else None
    except ReferenceUnresolved as fault:
        raise ServersUnreadable(f"servers[0]: {fault}") from None
    if first is None:
        raise ServersUnreadable("servers[0] is no object")
    url = first.get("url")
    if not isinstance(url, str):
        raise ServersUnreadable("servers[0].url is no text")
    variables = first.get("variables", {})
    if not isinstance(variables, Mapping):
        raise ServersUnreadable("servers[0].variables is no object")
    return _address(_filled(url, variables), location)


def host_of(text: str) -> str:
    """The host of an http or https URL, with its port where that is not the scheme's; "" where there is none.

    Raises ValueError for what is no URL.
    """
    url = urlsplit(text)
    if url.scheme not in _PORTS or not url.hostname or "{" in url.netloc:
        return ""
    port = "" if url.port in (None, _PORTS[url.scheme]) else f":{url.port}"
    return f"{url.hostname}{port}"


def _address(text: str, location: str) -> Address:
    try:
        url = urljoin(location, text)
        parts = urlsplit(url)
        return Address(host_of(url), parts.path.rstrip("/"), not parts.scheme and not parts.netloc)
    except ValueError as fault:
        raise ServersUnreadable(f"servers[0].url is no URL: {fault}") from None


def _filled(url: str, variables: Mapping[str, Json]) -> str:
    """A server's URL with the defaults of its variables."""

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        value = variable.get("default") if isinstance(variable, Mapping) else None
        return value if isinstance(value, str) else match[0]

    return _VARIABLE.sub(default, url)
