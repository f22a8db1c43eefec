from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import folded, simply_folded
from aegis_authz.wire.spellings import MOST_SPELLINGS, spellings


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("amount[]", "amount"),
        ("Amount[0]", "amount"),
        ("\uff41mount", "amount"),
        ("am\u200bount", "amount"),
        ("amount\x00", "amount"),
        ("amount\u00a0", "amount"),
        ("L\u0130MIT ", "limit"),
    ],
)
def test_a_name_that_case_alone_does_not_lead_back_is_told_with_its_plain_form(name: str, form: str) -> None:
    assert spellings({name: 1}) == {name: form}
    assert spellings({"a": [{"b": [[{name: 1}]]}]}) == {name: form}


@pytest.mark.parametrize("name", ["amount", "Amount", "amount ", "a.b", "a-b", "", "$x", "Ключ 1", "\u540d", "a/b"])
def test_usual_names_are_not_told(name: str) -> None:
    assert spellings({name: {name: [name, {name: 1}]}}) == {}


def test_of_a_call_with_too_many_of_them_nothing_is_judged() -> None:
    assert len(spellings({f"a{number}[]": 1 for number in range(MOST_SPELLINGS)})) == MOST_SPELLINGS
    with pytest.raises(Refused) as refused:
        spellings({f"a{number}[]": 1 for number in range(MOST_SPELLINGS + 1)})
    assert refused.value.reason is Reason.MALFORMED_CALL


@given(st.dictionaries(st.text(max_size=6), st.integers(), max_size=5))
def test_what_is_not_told_folds_as_policy_folds(parameters: dict[str, Any]) -> None:
    told = spellings(parameters)
    for name in parameters:
        assert name in told or "[" in name or simply_folded(name) in (folded(name), None) or not name.isprintable()
