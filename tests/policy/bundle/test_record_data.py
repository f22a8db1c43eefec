"""What records hold, in a bundle."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from aegis_authz.core.json_value import Json
from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.policy.bundle.record_data import records_from_data, records_to_data

EVERY = {f"acme/emea/{word.value}": word for word in RecordedParameters}


def test_what_is_written_is_read_again() -> None:
    key = X25519PrivateKey.from_private_bytes(b"a" * 32).public_key().public_bytes_raw()
    rules = RecordRules.by(EVERY, {"acme/emea/sealed": key})
    assert records_from_data(records_to_data(rules)) == rules


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"acme": "clear"},
        {"a/b/c": "all"},
        {"a/b/c": ["clear"]},
        {"a/b/c": "sealed"},
        {"a/b/c": "sealed:AAAA"},
    ],
)
def test_every_surprise_is_refused(data: Json) -> None:
    with pytest.raises(ValueError):  # its words are those of the readers
        records_from_data(data)
