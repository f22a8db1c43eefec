"""What Envoy answered by itself, from its access log."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.commands.faults import unable_on
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.strict_json import parse_object

_MEMBERS = ("time", "listener", "status", "method", "authority", "details", "flags", "source", "request_id")


@dataclass(frozen=True, slots=True)
class ProxyRefusal:
    """A line of a request that no authorizer was asked about; "" where Envoy did not know.

    `fault` says why the line cannot be read, "" for one that can.
    """

    members: dict[str, str]
    fault: str


@unable_on(OSError)
def proxy_refusals(log: Path, count: int) -> list[ProxyRefusal]:
    """The last `count` requests in the access log that have no decision, oldest first. Raises Unable."""
    refusals: deque[ProxyRefusal] = deque(maxlen=count)
    with log.open("rb") as file:
        for raw in file:
            try:
                line = parse_object(raw)
            except Refused as fault:
                refusals.append(ProxyRefusal(dict.fromkeys(_MEMBERS, ""), fault.detail))
                continue
            if line.get("decision_id") is None:
                refusals.append(ProxyRefusal({name: _text(line.get(name)) for name in _MEMBERS}, ""))
    return list(refusals)


def _text(value: Json) -> str:
    return "" if value is None else str(value)
