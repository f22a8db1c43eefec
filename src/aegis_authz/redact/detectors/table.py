"""The detectors by the names policies use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors.addresses import email, phone
from aegis_authz.redact.detectors.credentials import secrets
from aegis_authz.redact.detectors.dates import date_of_birth
from aegis_authz.redact.detectors.numbers import credit_card, iban, us_ssn
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.searched import Searched

Detector = Callable[[Searched], Iterator[Span]]
"""Finds spans in a view of a text."""

DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        "us_ssn": us_ssn,
        "date_of_birth": date_of_birth,
        "credit_card": credit_card,
        "iban": iban,
        "email": email,
        "phone": phone,
        "secrets": secrets,
    }
)


def detectors_named(names: Iterable[str]) -> dict[str, Detector]:
    """The detectors of these names, each once, in the order of `DETECTORS`.

    Raises Refused(OBLIGATION_UNKNOWN) for a name that is not known.
    """
    wanted = set(names)
    if not wanted <= DETECTORS.keys():
        raise Refused(Reason.OBLIGATION_UNKNOWN, "a detector that is not known")
    return {name: detector for name, detector in DETECTORS.items() if name in wanted}
