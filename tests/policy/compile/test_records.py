"""What documents say records hold."""

from __future__ import annotations

import pytest

from aegis_authz.core.record_terms import RecordedParameters
from aegis_authz.policy.compile.records import records_of
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}


def words(*documents: str) -> dict[str, RecordedParameters]:
    return records_of(load({f"p{number}.yaml": text for number, text in enumerate(documents)}, TOOLS).compiled)


def test_documents_say_by_their_scope_what_records_hold() -> None:
    assert words("agent: a\nrecord: {parameters: clear}\n", "agent: b\n", "agent: c\nrecord: {}\n") == {
        "*/*/a": RecordedParameters.CLEAR,
        "*/*/c": RecordedParameters.DECLARED,
    }


def test_of_two_documents_of_one_scope_the_strictest_word_holds_shadow_included() -> None:
    strict = "agent: a\nname: x\nmode: shadow\nrecord: {parameters: hashed}\n"
    loose = "agent: a\nrecord: {parameters: clear}\n"
    assert words(loose, strict) == {"*/*/a": RecordedParameters.HASHED}


@pytest.mark.parametrize("member", ["{parameters: sealed}", "{parameters: }", "{path: hashed}"])
def test_another_word_is_refused_with_its_place(member: str) -> None:
    with pytest.raises(PolicyErrors) as refusal:
        words(f"agent: a\nrecord: {member}\n")
    assert [problem.line for problem in refusal.value.problems] == [2]
