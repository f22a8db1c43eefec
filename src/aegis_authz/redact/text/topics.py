"""What a JSON member is about, told by its key: a bare number means more under `ssn` than elsewhere."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from aegis_authz.redact.text.folding import fold_character


class Topic(Enum):
    """Topics that widen what a detector takes for a match."""

    BIRTH = "birth"
    SSN = "ssn"
    PHONE = "phone"


Topics = frozenset[Topic]
NO_TOPICS: Topics = frozenset()
LABEL_LENGTH = 40

_ENDINGS = {
    Topic.BIRTH: ("dob", "dateofbirth", "birthdate", "birthday", "birthdt", "bornon", "yearofbirth", "birthyear"),
    Topic.SSN: ("ssn", "socialsecuritynumber", "socialsecurityno", "socialsecurity"),
    Topic.PHONE: ("phone", "phonenumber", "phoneno", "mobile", "mobilenumber", "cellphone", "faxnumber"),
}
_WHOLE = {
    Topic.BIRTH: ("born", "birth", "bday"),
    Topic.SSN: ("socsec", "socialsec"),
    Topic.PHONE: ("tel", "fax", "cell", "msisdn"),
}


@lru_cache(maxsize=4096)
def topics_of(key: str) -> Topics:
    """The topics of a member's key, whatever its spelling: `dateOfBirth`, `patient_dob`, `SSN`."""
    plain = _plain(key)
    return frozenset(topic for topic in Topic if plain.endswith(_ENDINGS[topic]) or plain in _WHOLE[topic])


@lru_cache(maxsize=4096)
def topics_of_label(text: str) -> Topics:
    """The topics of a value that names its sibling, as in {"label": "Date of birth", "value": ...}."""
    plain = _plain(text)
    return frozenset(topic for topic in Topic if plain in _ENDINGS[topic])


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, map(fold_character, text.lower())))
