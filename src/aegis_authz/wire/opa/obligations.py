"""Obligations as JSON data, in the PDP's answer and in Envoy's dynamic metadata. Unknown is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from aegis_authz.core.decision import (
    OBLIGATIONS,
    FilterTools,
    HideTools,
    InjectCredential,
    Obligation,
    OwnDetector,
    Redact,
    RedactionTerms,
    SetHeader,
    Target,
    kind_of,
)
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

OBLIGATION_HEADER = "x-aegis-obligation"
"""The request header by which ext_authz chooses the body processor in Envoy; nobody else can set it."""

_MEMBERS = {kind: tuple(field.name for field in fields(obligation)) for kind, obligation in OBLIGATIONS.items()}
_TARGETS = tuple(target.value for target in Target)


def obligations_to_data(obligations: Sequence[Obligation]) -> list[Json]:
    """The obligations as JSON values, in order."""
    return [_to_data(obligation) for obligation in obligations]


def obligations_from_data(data: Json) -> tuple[Obligation, ...]:
    """Read obligations strictly. Raises Refused(OBLIGATION_UNKNOWN) for anything not known to the letter."""
    if not isinstance(data, list):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "obligations are not a list")
    return tuple(_from_data(item) for item in data)


def _to_data(obligation: Obligation) -> Json:
    kind = kind_of(obligation)
    return {"kind": kind} | {name: _plain(getattr(obligation, name)) for name in _MEMBERS[kind]}


def _plain(value: str | bool | Target | tuple[str | OwnDetector, ...]) -> Json:
    if isinstance(value, Target):
        return value.value
    if isinstance(value, tuple):
        return [detector if isinstance(detector, str) else _own_data(detector) for detector in value]
    return value


def _own_data(own: OwnDetector) -> Json:
    return {"name": own.name, "pattern": own.pattern, "validator": own.validator}


def _from_data(item: Json) -> Obligation:
    kind = item.get("kind") if isinstance(item, dict) else None
    if isinstance(item, dict) and isinstance(kind, str) and item.keys() == {"kind", *_MEMBERS.get(kind, ())}:
        shape = OBLIGATIONS.get(kind)
        if shape is Redact and item["target"] in _TARGETS:
            return Redact(Target(item["target"]), _texts(item["detectors"]), _texts(item["fields"]))
        if shape is RedactionTerms and item["target"] in _TARGETS:
            flags = _flags([item["is_loose"], item["numbers"], item["passes_opaque"]])
            return RedactionTerms(Target(item["target"]), *flags, _own(item["own"]))
        if shape is FilterTools:
            return FilterTools(_texts(item["allowed"]))
        if shape is HideTools:
            return HideTools(_texts(item["hidden"]))
        if shape is SetHeader:
            return SetHeader(*_texts([item["name"], item["value"]]))
        if shape is InjectCredential:
            return InjectCredential(*_texts([item["header"], item["credential"], item["prefix"]]))
    raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation of no known kind")


def _flags(values: list[Json]) -> tuple[bool, bool, bool]:
    first, second, third = values
    if isinstance(first, bool) and isinstance(second, bool) and isinstance(third, bool):
        return first, second, third
    raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation neither wants something nor not")


def _own(value: Json) -> tuple[OwnDetector, ...]:
    if not isinstance(value, list):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation names no list")
    detectors: list[OwnDetector] = []
    for item in value:
        if not isinstance(item, dict) or item.keys() != {"name", "pattern", "validator"}:
            raise Refused(Reason.OBLIGATION_UNKNOWN, "a detector of no known form")
        detectors.append(OwnDetector(*_texts([item["name"], item["pattern"], item["validator"]])))
    return tuple(detectors)


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation names no list")
    texts = tuple(item for item in value if isinstance(item, str))
    if len(texts) != len(value):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "an obligation names something that is no text")
    return texts
