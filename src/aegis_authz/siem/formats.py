"""Which formats there are, and an entry in each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.ports.receiver import OutgoingEvent
from aegis_authz.siem.cef import cef_line
from aegis_authz.siem.ecs import ecs_document
from aegis_authz.siem.entry import Entry
from aegis_authz.siem.event import Parameters, event
from aegis_authz.siem.occasion import Uses, occasion_of
from aegis_authz.siem.ocsf import ocsf_event
from aegis_authz.siem.severity import Severity


class Format(Enum):
    """How events are written."""

    JSON = "json"
    OCSF = "ocsf"
    ECS = "ecs"
    CEF = "cef"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the events of one export look. `zone` is where `hour` and `weekday` are told; `version` of this software."""

    format: Format
    parameters: Parameters
    zone: tzinfo
    version: str

    def event(self, entry: Entry, uses: Uses | None) -> OutgoingEvent:
        """The entry's event; what it used is added to `uses`."""
        record = entry.record
        occasion = occasion_of(record, self.zone, uses)
        match self.format:
            case Format.JSON:
                text = _dumped(event(entry, occasion, self.parameters))
            case Format.OCSF:
                text = _dumped(ocsf_event(entry, occasion, self.parameters, self.version))
            case Format.ECS:
                text = _dumped(ecs_document(entry, occasion, self.parameters, self.version))
            case Format.CEF:
                text = cef_line(entry, occasion, self.version)
        return OutgoingEvent(entry.id, record.time, entry.kind, _SYSLOG[occasion.severity], text)


_SYSLOG = {Severity.INFORMATIONAL: 6, Severity.LOW: 5, Severity.MEDIUM: 4, Severity.HIGH: 1}


def _dumped(members: dict[str, Json]) -> str:
    """One line of ASCII: whatever agents put into names, no reader breaks a line there."""
    return json.dumps(members, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
