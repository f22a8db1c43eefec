from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.refused import Refused
from aegis_authz.wire.mcp.request_state import own_state, without_state

OWN = "aegis-state1.1.x"
_scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.sampled_from((0.1, -2.5, 1e-7, 12345.678))
    | st.text(st.characters(exclude_categories=("Cs",)))
)  # fmt: skip
_values = st.recursive(_scalars, lambda parts: st.lists(parts) | st.dictionaries(st.text("abc"), parts), max_leaves=8)


def body(**params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


@given(st.dictionaries(st.text("abc", min_size=1), _values))
def test_all_of_a_message_but_our_state_is_left_as_it_is(arguments: dict[str, Any]) -> None:
    left = json.loads(without_state(body(name="x", arguments=arguments, requestState=OWN)))
    assert left == json.loads(body(name="x", arguments=arguments))


def test_the_answer_to_our_input_goes_and_those_to_a_servers_own_stay() -> None:
    ours, own = {"aegis_approval": {"action": "accept"}}, {"name": {"action": "accept", "content": {"a": 1}}}
    both = json.loads(without_state(body(name="x", requestState=OWN, inputResponses=ours | own)))
    assert both["params"] == {"name": "x", "inputResponses": own}
    alone = json.loads(without_state(body(name="x", requestState=OWN, inputResponses=ours)))
    assert alone["params"] == {"name": "x"}


@pytest.mark.parametrize("state", ["", "v1.sealed-by-a-server", 7, None])
def test_a_servers_own_state_is_none_of_ours(state: Any) -> None:
    assert own_state({"requestState": state}) == ""
    with pytest.raises(Refused):
        without_state(body(name="x", requestState=state))


@pytest.mark.parametrize(
    "raw", [b"[]", b'{"params":[]}', b'{"params":{"requestState":"aegis-state1.","requestState":1}}']
)
def test_what_is_no_such_message_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        without_state(raw)
