"""The detectors by the names policies use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors import accounts, addresses, cards, credentials, dates, social_security
from aegis_authz.redact.text.searched import Search

Detector = tuple[Search, ...]
"""What a detector finds is what any of its searches does."""

DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        "us_ssn": social_security.US_SSN,
        "date_of_birth": dates.DATE_OF_BIRTH,
        "credit_card": cards.CREDIT_CARD,
        "iban": accounts.IBAN,
        "email": addresses.EMAIL,
        "phone": addresses.PHONE,
        "secrets": credentials.SECRETS,
    }
)


def detectors_named(names: Iterable[str]) -> dict[str, Detector]:
    """The detectors of these names, each once, in the order of `DETECTORS`.

    Raises Refused(OBLIGATION_UNKNOWN) for a name that is not known.
    """
    chosen_names = set(names)
    if not chosen_names <= DETECTORS.keys():
        raise Refused(Reason.OBLIGATION_UNKNOWN, "a detector that is not known")
    return {name: detector for name, detector in DETECTORS.items() if name in chosen_names}
