from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.core.grant import GrantRequest
from aegis_authz.wire.authorization_details import details_of, details_text, granted_details, read_details
from aegis_authz.wire.grant import read_grant
from tests.support.grants import NOW, grant_claim

TOOLS = st.dictionaries(
    st.sampled_from(["bank", "vault"]),
    st.dictionaries(
        st.sampled_from(["pay", "refund"]),
        st.dictionaries(st.sampled_from(["payee", "/to/iban"]), st.sampled_from([("M",), (1, True)]), max_size=2),
        min_size=1,
    ),
    min_size=1,
)
REQUESTS = st.builds(
    GrantRequest,
    tools=st.none() | TOOLS,
    calls=st.none() | st.integers(1, 9),
    expires_at=st.none() | st.integers(NOW + 1, NOW + 9).map(float),
    depth=st.none() | st.integers(0, 4),
).filter(lambda request: request != GrantRequest(None, None, None, None))


@settings(max_examples=40)
@given(REQUESTS)
def test_what_is_asked_for_is_read_as_it_was_meant(request: GrantRequest) -> None:
    assert read_details(details_text(request), NOW) == request


def test_a_span_is_counted_from_now_and_ends_on_a_whole_second() -> None:
    assert read_details('[{"type":"aegis_task","expires_in":90}]', NOW + 0.75).expires_at == NOW + 90


def test_actions_of_one_object_have_its_values() -> None:
    text = '[{"type":"aegis_tool","identifier":"bank","actions":["pay","refund"],"values":{"payee":["M"]}}]'
    pinned = {"payee": ("M",)}
    assert read_details(text, NOW).tools == {"bank": {"pay": pinned, "refund": pinned}}


def test_what_was_granted_is_told_in_the_shape_in_which_it_is_asked_for() -> None:
    [narrowing] = read_grant(grant_claim(calls=3)).chain
    assert granted_details(narrowing) == details_of(
        GrantRequest({"bank": {"pay": {"payee": ("Muster",)}}}, 3, NOW + 600.0, 2)
    )


@pytest.mark.parametrize("text", ["\ud800", "[", '[{"type":"aegis_task","type":"aegis_task"}]'])
def test_what_is_not_json_is_told_as_such(text: str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        read_details(text, NOW)
