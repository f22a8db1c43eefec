from __future__ import annotations

import pytest

from aegis_authz.core.approval_terms import ABSENT_TERMS, present_terms, read_terms
from aegis_authz.core.json_value import Json

LEAST: dict[str, Json] = {"groups": ["finance"], "expires_in": 60}
MORE: dict[str, Json] = {**LEAST, "approvals": 2, "confirm": ["payee"], "notify": ["slack:#finance"]}


def test_a_word_that_asks_for_nothing_is_left_out_and_read_all_the_same() -> None:
    assert present_terms({**LEAST, **ABSENT_TERMS}) == LEAST
    assert present_terms(MORE) == MORE
    assert read_terms(LEAST) == read_terms({**LEAST, **ABSENT_TERMS})
    assert read_terms(LEAST) != read_terms(MORE)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"groups": []},
        {**LEAST, "extra": 1},
        {**LEAST, "groups": "finance"},
        {**LEAST, "notify": [1]},
        {**LEAST, "proof": "seen"},
        {**LEAST, "unattended": "hold"},
        {**LEAST, "hold": 61},
        {**LEAST, "hold": -1},
    ],
)
def test_what_no_policy_can_ask_for_is_refused(data: Json) -> None:
    with pytest.raises(ValueError, match=r"terms|list|texts|valid|open"):
        read_terms(data)
