"""What settings of several processes are made of: the strict model, and kinds of addresses, names and times.

A settings file is YAML; an unknown key, a wrong type or a duplicate key is an error that names it.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from aegis_authz.core.address import UnixAddress, is_loopback, is_private_url, read_address, read_tcp_address
from aegis_authz.core.residency import REGION
from aegis_authz.core.scope import Scope

_WORKER = "{worker}"
SHARED_LISTENERS = ("forward", "reverse")
"""The listeners of every agent."""
DOOR = "door"
"""The listener by which agents reach the control plane."""
EVALUATION = "evaluation"
"""What the evaluation endpoint of a worker is called among listeners."""
_NAMES_TAKEN = (*SHARED_LISTENERS, DOOR, EVALUATION)
_LISTENER_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\Z")
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,5})([mhd])\Z")


def _listen_address(text: str) -> str:
    read_address(text.replace(_WORKER, "0"))
    return text


def _port_address(text: str) -> str:
    read_tcp_address(text)
    return text


def _listener_name(text: str) -> str:
    if _LISTENER_NAME.match(text) is None or text in _NAMES_TAKEN:
        taken = ", ".join(_NAMES_TAKEN)
        raise ValueError(f"must be a name of lower-case letters, digits and dashes, and none of {taken}")
    return text


def _loopback_address(text: str) -> str:
    place = read_address(text)
    if not isinstance(place, UnixAddress) and not is_loopback(place.host):
        raise ValueError(f"{text} can be reached by others: must be unix:/path, or an address of loopback and a port")
    return text


def _private_url(text: str) -> str:
    url = urlsplit(text)
    if not is_private_url(url.scheme, url.hostname or "") or url.username is not None or url.query:
        raise ValueError("must be https://, a host and a path (http:// on loopback alone)")
    return text


def _public_url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname or url.username is not None or url.query or url.fragment:
        raise ValueError("must be http:// or https://, a host, and a port or a path")
    return text.rstrip("/")


def _network(text: str) -> str:
    return str(ip_network(text))


def _agent(text: str) -> str:
    return str(Scope.parse(text))


def _region(text: str) -> str:
    if text and REGION.match(text) is None:
        raise ValueError("must be lower-case letters and digits, with - between them, at most 32, such as eu-west")
    return text


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None:
        raise ValueError("must be a whole number of minutes, hours or days, such as 90m, 12h or 30d")
    return int(match[1]) * _UNITS[match[2]]


ListenAddress = Annotated[str, AfterValidator(_listen_address)]
PortAddress = Annotated[str, AfterValidator(_port_address)]
ListenerName = Annotated[str, AfterValidator(_listener_name)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback_address)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Network = Annotated[str, AfterValidator(_network)]
PrivateUrl = Annotated[str, AfterValidator(_private_url)]
SocketMode = Annotated[str, Field(pattern=r"^06[06]0$")]
RegionName = Annotated[str, AfterValidator(_region)]
"""A region, "" for a mesh without regions."""
AgentName = Annotated[str, AfterValidator(_agent)]
Period = Annotated[float, BeforeValidator(_seconds), Field(ge=3600)]
"""A time between rotations, in seconds or as `12h`, `30d`."""


class Settings(BaseModel):
    """A frozen part of a settings file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)
