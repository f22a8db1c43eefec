"""Records as lines of the Common Event Format (ArcSight, CEF:0), for collectors that read nothing newer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.record import ApprovalRecord, DecisionRecord, RefusalsRecord
from aegis_authz.siem.entry import Entry, Occasion
from aegis_authz.siem.moment import milliseconds
from aegis_authz.siem.severity import Severity

_SEVERITIES: Mapping[Severity, int] = MappingProxyType(
    {Severity.INFORMATIONAL: 1, Severity.LOW: 3, Severity.MEDIUM: 6, Severity.HIGH: 9}
)
_MOST = 1023
"""Characters of a value: what the longest of the format's text fields hold."""
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def cef_line(entry: Entry, occasion: Occasion, version: str) -> str:
    """The line, without its end; `version` is that of this software. Parameters are never in it."""
    record = entry.record
    kind = entry.kind
    pairs: dict[str, str] = {
        "rt": str(milliseconds(record.time)),
        "externalId": entry.id,
        "cs1Label": "recordHash",
        "cs1": entry.link.stated.hex(),
        "dvchost": entry.link.writer,
    }
    signature, name = kind, f"record of kind {kind}"
    match record:
        case DecisionRecord():
            signature, name = record.reason.value, f"call {record.effect.value}"
            pairs |= _decision(record)
        case RefusalsRecord():
            signature, name = record.reason.value, "calls refused"
            pairs |= {"act": "deny", "cnt": str(record.count), "src": next(iter(record.sources), "")}
        case ApprovalRecord():
            signature, name = f"approval.{record.step.value}", f"approval {record.step.value}"
            pairs |= {"suser": record.by, "duser": str(record.scope), "destinationServiceName": record.tool}
            pairs |= {"msg": record.note, "act": record.step.value, "fileId": record.approval_id}
        case _:
            pass
    header = "|".join(_header(part) for part in ("Aegis", "aegis-authz", version, signature, name))
    extension = " ".join(f"{key}={_value(value)}" for key, value in pairs.items() if value)
    return f"CEF:0|{header}|{_SEVERITIES[occasion.severity]}|{extension}"


def _decision(record: DecisionRecord) -> dict[str, str]:
    scope = "" if record.identity is None else str(record.identity.scope)
    return {
        "act": record.effect.value,
        "reason": record.reason.value,
        "suser": scope,
        "src": record.source,
        "dhost": record.host,
        "dpt": "" if record.port is None else str(record.port),
        "destinationServiceName": record.tool,
        "requestMethod": record.method,
        "request": record.path,
        "outcome": "success" if record.effect.lets_through else "failure",
        "msg": record.detail,
        "cs2Label": "action",
        "cs2": record.action or "none",
        "cs3Label": "policies",
        "cs3": ",".join(record.policies) or "none",
        "cs4Label": "revision",
        "cs4": record.revision or "none",
        "cs5Label": "decisionId",
        "cs5": record.decision_id,
        "cs6Label": "onBehalfOf",
        "cs6": "" if record.identity is None else record.identity.on_behalf_of or "none",
    }


def _header(text: str) -> str:
    return _printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("\r", " ")


def _value(text: str) -> str:
    escaped = _printable(text[:_MOST]).replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\r")


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)
