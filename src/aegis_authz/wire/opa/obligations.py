"""Obligations as JSON data, in the PDP's answer and in Envoy's dynamic metadata. Unknown is refused."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.core.decision import FilterTools, InjectCredential, Obligation, Redact, SetHeader, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

OBLIGATION_HEADER = "x-aegis-obligation"
"""The request header by which ext_authz chooses the body processor in Envoy; nobody else can set it."""

_REDACT = {"kind", "target", "detectors", "fields"}
_FILTER_TOOLS = {"kind", "allowed"}
_SET_HEADER = {"kind", "name", "value"}
_INJECT_CREDENTIAL = {"kind", "header", "credential", "prefix"}


def obligations_to_data(obligations: Sequence[Obligation]) -> list[Json]:
    """The obligations as JSON values, in order."""
    return [_to_data(obligation) for obligation in obligations]


def obligations_from_data(data: Json) -> tuple[Obligation, ...]:
    """Read obligations strictly. Raises Refused(OBLIGATION_UNKNOWN) for anything not known to the letter."""
    if not isinstance(data, list):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "obligations are not a list")
    return tuple(_from_data(item) for item in data)


def _to_data(obligation: Obligation) -> Json:
    match obligation:
        case Redact(target, detectors, fields):
            return {"kind": "redact", "target": target.value, "detectors": list(detectors), "fields": list(fields)}
        case FilterTools(allowed):
            return {"kind": "filter_tools", "allowed": list(allowed)}
        case SetHeader(name, value):
            return {"kind": "set_header", "name": name, "value": value}
        case InjectCredential(header, credential, prefix):
            return {"kind": "inject_credential", "header": header, "credential": credential, "prefix": prefix}


def _from_data(item: Json) -> Obligation:
    if isinstance(item, dict):
        kind, target = item.get("kind"), item.get("target")
        if kind == "redact" and item.keys() == _REDACT and target in ("request", "response"):
            return Redact(Target(target), _texts(item["detectors"]), _texts(item["fields"]))
        if kind == "filter_tools" and item.keys() == _FILTER_TOOLS:
            return FilterTools(_texts(item["allowed"]))
        if kind == "set_header" and item.keys() == _SET_HEADER:
            return SetHeader(*_texts([item["name"], item["value"]]))
        if kind == "inject_credential" and item.keys() == _INJECT_CREDENTIAL:
            return InjectCredential(*_texts([item["header"], item["credential"], item["prefix"]]))
    raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation of no known kind")


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation names no list")
    texts = tuple(item for item in value if isinstance(item, str))
    if len(texts) != len(value):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation names something that is no text")
    return texts
