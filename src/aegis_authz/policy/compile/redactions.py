"""What documents redact, as data: of a rule for Rego, and of a limit as the obligations that hold beyond it."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.language.rule import Redaction, Sanitize


def redactions(sanitize: Sanitize | None) -> list[Json]:
    """What a rule redacts, as Rego merges it with what others redact."""
    if sanitize is None:
        return []
    targets = (("request", sanitize.request), ("response", sanitize.response))
    return [
        {
            "target": target,
            "detectors": sorted(redaction.detectors),
            "fields": sorted(redaction.fields),
            **_redaction_terms(redaction),
        }
        for target, redaction in targets
        if redaction is not None
    ]


def _redaction_terms(redaction: Redaction) -> dict[str, Json]:
    """How it is redacted, as far as that is not the usual way."""
    own: list[Json] = [
        {"name": detector.name, "pattern": detector.pattern, "validator": detector.validator or ""}
        for detector in redaction.own
    ]
    terms: dict[str, tuple[Json, Json]] = {
        "match": (redaction.match, "strict"),
        "numbers": (redaction.numbers, False),
        "opaque": (redaction.opaque, "withhold"),
        "own": (own, []),
    }
    return {name: value for name, (value, usual) in terms.items() if value != usual}


def redaction_obligations(sanitize: Sanitize | None) -> Iterator[Json]:
    """The obligations that rego/obligations.rego makes of the redactions of one rule alone."""
    sides = () if sanitize is None else (("request", sanitize.request), ("response", sanitize.response))
    for target, redaction in sides:
        if redaction is not None:
            names: dict[str, Json] = {
                "detectors": [*sorted(redaction.detectors)],
                "fields": [*sorted(redaction.fields)],
            }
            yield {"kind": "redact", "target": target, **names}
    for target, redaction in sides:
        terms = {} if redaction is None else _redaction_terms(redaction)
        if terms:
            own = terms.get("own", [])
            yield {
                "kind": "redaction_terms",
                "target": target,
                "is_loose": "match" in terms,
                "numbers": "numbers" in terms,
                "passes_opaque": "opaque" in terms,
                "own": sorted(own, key=canonical) if isinstance(own, list) else [],
            }
