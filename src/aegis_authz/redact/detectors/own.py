"""Detectors that policy defines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

import re2  # type: ignore[import-untyped]

from aegis_authz.core.decision import OwnDetector
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors.proofs import NO_DIGITS, has_luhn, has_mod_97, is_issued
from aegis_authz.redact.detectors.table import Detector
from aegis_authz.redact.text.pattern import Pattern, Span, expression
from aegis_authz.redact.text.searched import Search, Searched

VALIDATORS: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {
        "": lambda match: True,
        "luhn": lambda match: has_luhn(match.translate(None, NO_DIGITS)),
        "mod_97": lambda match: len(match) > 4 and has_mod_97(match),
        "us_ssn": lambda match: is_issued(match),
    }
)
"""What may prove a match: the check digit of cards, the checksum of IBANs, the ranges of social security numbers."""


def own_detectors(own: Iterable[OwnDetector]) -> dict[str, Detector]:
    """The detectors by their names.

    Raises Refused(OBLIGATION_UNKNOWN) for a pattern that is none, a validator that is not known, a name given twice.
    """
    detectors: dict[str, Detector] = {}
    for detector in own:
        if detector.name in detectors or detector.validator not in VALIDATORS:
            raise Refused(Reason.OBLIGATION_UNKNOWN, "a detector of policy that is defined twice, or wrongly")
        detectors[detector.name] = _detector(detector.pattern, detector.validator)
    return detectors


@lru_cache(maxsize=256)
def _detector(text: str, validator: str) -> Detector:
    try:
        pattern = expression(text)
    except re2.error:
        raise Refused(Reason.OBLIGATION_UNKNOWN, "a detector of policy without a pattern") from None
    return (Search(_Finder(pattern, VALIDATORS[validator]).find, (text,), b"", is_local=False),)


class _Finder:
    """Finds what a pattern matches and a validator proves."""

    def __init__(self, pattern: Pattern, is_valid: Callable[[bytes], bool]) -> None:
        self._pattern = pattern
        self._is_valid = is_valid

    def find(self, text: Searched) -> Iterator[Span]:
        """Matches that hold something; none overlaps another."""
        for start, end in self._pattern.spans(text.data):
            text.tick()
            if start < end and self._is_valid(text.data[start:end]):
                yield start, end
