"""The detectors by the names policies use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors import addresses, credentials, dates, numbers
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.searched import Searched


@dataclass(frozen=True, slots=True)
class Detector:
    """`find` yields spans in a view of a text; it need not be asked where none of `heads` matches.

    `example` is a text in which it finds something.
    """

    find: Callable[[Searched], Iterator[Span]]
    heads: tuple[str, ...]
    example: bytes


DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {
        "us_ssn": Detector(numbers.us_ssn, numbers.SSN_HEADS, b"123-45-6789"),
        "date_of_birth": Detector(dates.date_of_birth, dates.BIRTH_HEADS, b"born 1980-02-29"),
        "credit_card": Detector(numbers.credit_card, numbers.CARD_HEADS, b"4111111111111111"),
        "iban": Detector(numbers.iban, numbers.IBAN_HEADS, b"DE89 3704 0044 0532 0130 00"),
        "email": Detector(addresses.email, addresses.EMAIL_HEADS, b"jo@example.org"),
        "phone": Detector(addresses.phone, addresses.PHONE_HEADS, b"+49 30 12345678"),
        "secrets": Detector(credentials.secrets, credentials.SECRET_HEADS, b"AKIAIOSFODNN7EXAMPLE"),
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
