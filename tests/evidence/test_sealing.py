"""What of a record an auditor alone reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from aegis_authz.core.record import DecisionRecord, SealedParameters, WholePath
from aegis_authz.evidence.document import record_from_json, record_to_json
from aegis_authz.evidence.replay import NotJudged, replayed
from aegis_authz.evidence.sealing import SealBroken, opened, sealed_for
from tests.support.exported_records import payment

KEY, OTHER = (X25519PrivateKey.from_private_bytes(seed * 32) for seed in (b"a", b"b"))
PLAIN = payment(1)
assert isinstance(PLAIN, DecisionRecord)


def sealed(plain: DecisionRecord) -> DecisionRecord:
    box = sealed_for(KEY.public_key().public_bytes_raw(), plain)
    return replace(
        plain, parameters={}, withheld=len(plain.parameters), path="", whole_path=WholePath(1, "x"), sealed=box
    )


@pytest.mark.parametrize(
    "change", [{}, {"path": "", "whole_path": WholePath(9999, "a" * 64)}, {"parameters": {"x": "\ud800", "y": [1.5]}}]
)
def test_opened_it_is_the_record_in_the_clear_and_is_judged_like_it(change: dict[str, object]) -> None:
    plain = replace(PLAIN, **change)
    record = record_from_json(record_to_json(sealed(plain)))
    assert isinstance(record, DecisionRecord)
    assert opened(record, [OTHER, KEY]) == plain
    if plain.whole_path is None and "\ud800" not in str(plain.parameters):
        assert replayed(opened(record, [KEY])) == replayed(plain)


def test_without_its_key_it_stays_sealed_and_is_not_judged() -> None:
    record = sealed(PLAIN)
    assert opened(record, [OTHER]) == opened(record, []) == record
    assert opened(PLAIN, [KEY]) == PLAIN
    assert record.sealed is not None
    with pytest.raises(NotJudged, match=f"sealed for the key {record.sealed.key_id}"):
        replayed(record)


def test_a_box_of_another_record_or_an_altered_one_is_refused() -> None:
    record = sealed(PLAIN)
    assert record.sealed is not None
    for broken in (
        replace(record, decision_id="another"),
        replace(record, digest="another"),
        replace(record, sealed=SealedParameters(record.sealed.key_id, "AAAA")),
        replace(record, sealed=SealedParameters(record.sealed.key_id, "no base64")),
    ):
        with pytest.raises(SealBroken, match=f"decision {broken.decision_id}"):
            opened(broken, [KEY])
