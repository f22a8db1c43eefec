"""What documents say records hold."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.encoding.sealed_box import read_public_key, write_public_key
from aegis_authz.policy.compile.records import records_of
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}


AUDITOR = write_public_key(X25519PrivateKey.from_private_bytes(b"a" * 32).public_key().public_bytes_raw())
OTHER = write_public_key(X25519PrivateKey.from_private_bytes(b"b" * 32).public_key().public_bytes_raw())


def rules(*documents: str) -> RecordRules:
    return records_of(load({f"p{number}.yaml": text for number, text in enumerate(documents)}, TOOLS).compiled)


def words(*documents: str) -> Mapping[str, RecordedParameters]:
    return rules(*documents).by_scope


def test_documents_say_by_their_scope_what_records_hold() -> None:
    assert words("agent: a\nrecord: {parameters: clear}\n", "agent: b\n", "agent: c\nrecord: {}\n") == {
        "*/*/a": RecordedParameters.CLEAR,
        "*/*/c": RecordedParameters.DECLARED,
    }


def test_of_two_documents_of_one_scope_the_strictest_word_holds_shadow_included() -> None:
    strict = "agent: a\nname: x\nmode: shadow\nrecord: {parameters: hashed}\n"
    loose = "agent: a\nrecord: {parameters: clear}\n"
    assert words(loose, strict) == {"*/*/a": RecordedParameters.HASHED}


def test_what_is_sealed_is_sealed_for_the_key_that_the_document_names() -> None:
    sealed = f"agent: a\nrecord: {{parameters: sealed, auditor: {AUDITOR}}}\n"
    assert rules(sealed) == RecordRules.by({"*/*/a": RecordedParameters.SEALED}, {"*/*/a": read_public_key(AUDITOR)})
    assert rules(sealed, f"agent: a\nname: x\nrecord: {{parameters: sealed, auditor: {OTHER}}}\n") == RecordRules.by(
        {"*/*/a": RecordedParameters.HASHED}
    )


@pytest.mark.parametrize(
    "member",
    [
        "{parameters: sealed}",
        "{parameters: sealed, auditor: AAAA}",
        f"{{parameters: sealed, auditor: {'A' * 43}}}",  # of small order: anybody could open it
        f"{{parameters: clear, auditor: {AUDITOR}}}",
        f"{{auditor: {AUDITOR}}}",
        "{parameters: }",
        "{path: hashed}",
    ],
)
def test_another_word_is_refused_with_its_place(member: str) -> None:
    with pytest.raises(PolicyErrors) as refusal:
        words(f"agent: a\nrecord: {member}\n")
    assert [problem.line for problem in refusal.value.problems] == [2]
