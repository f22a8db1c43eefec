"""Detector of international bank account numbers."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.redact.detectors.iban_forms import IBAN_FORMS
from aegis_authz.redact.detectors.proofs import has_mod_97
from aegis_authz.redact.text.pattern import Span, expression
from aegis_authz.redact.text.searched import Search, Searched

_START = rf"(?:^|[^0-9A-Za-z])(?i:{'|'.join(IBAN_FORMS)})[ .-]?[0-9]{{2}}"
"""No such start stands in another, so that one pass meets all of them."""

_HEAD = expression(_START)
_FORMS = {
    (first + second).encode("ascii"): form
    for country, form in IBAN_FORMS.items()
    for first in {country[0], country[0].lower()}
    for second in {country[1], country[1].lower()}
}


def _iban(text: Searched) -> Iterator[Span]:
    """International bank account numbers (ISO 13616): a country's length and form, and 1 modulo 97."""
    data = text.data
    read = 0
    for start, _ in _HEAD.spans(data):
        start += not data[start : start + 1].isalpha()
        text.tick()
        form = _FORMS[data[start : start + 2]].match(data, start) if start >= read else None
        if form is not None and has_mod_97(form[0]):
            read = form.end()
            yield start, read


IBAN = (Search(_iban, (_START,), b"DE89 3704 0044 0532 0130 00", is_apart=True),)
