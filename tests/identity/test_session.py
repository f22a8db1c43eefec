from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.identity.session import session_owner, unwrapped_id, wrapped_id

KEY, EARLIER, GONE = b"k" * 32, b"e" * 32, b"g" * 32
SCOPE = Scope("acme", "emea", "coder")
OWNER = session_owner(SCOPE, "github", "r1")
RAW = "0f4c6f1b2a0b4d1fa0d8a1a3a2f1c0de"

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=1024)


def refusal(agent_id: str, owner: str = OWNER, keys: tuple[bytes, ...] = (KEY, EARLIER)) -> Reason:
    with pytest.raises(Refused) as refused:
        unwrapped_id(agent_id, owner, keys)
    assert len(agent_id) < 30 or agent_id not in str(refused.value)
    return refused.value.reason


@given(VISIBLE)
def test_what_was_wrapped_for_an_owner_unwraps_for_that_owner(tool_id: str) -> None:
    assert unwrapped_id(wrapped_id(tool_id, OWNER, (KEY,)), OWNER, (KEY, EARLIER)) == tool_id


@given(VISIBLE)
def test_a_wrapped_id_is_fit_for_its_header(tool_id: str) -> None:
    wrapped = wrapped_id(tool_id, OWNER, (KEY,))
    assert all(0x21 <= ord(character) <= 0x7E for character in wrapped)


@pytest.mark.parametrize("tool_id", ["", " ", "a b", "a\n", "ä", "a\x7f", "x" * 1025])
def test_what_can_be_no_id_is_not_wrapped(tool_id: str) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        wrapped_id(tool_id, OWNER, (KEY,))


@pytest.mark.parametrize(
    "owner",
    [
        session_owner(replace(SCOPE, agent="coder2"), "github", "r1"),
        session_owner(replace(SCOPE, tenant="apac"), "github", "r1"),
        session_owner(replace(SCOPE, org="acme2"), "github", "r1"),
        session_owner(SCOPE, "github2", "r1"),
        session_owner(SCOPE, "github", "r2"),
    ],
)
def test_a_session_of_another_agent_tenant_organisation_tool_or_place_is_refused(owner: str) -> None:
    assert refusal(wrapped_id(RAW, owner, (KEY,))) is Reason.SESSION_INVALID


def test_names_that_join_alike_are_other_owners() -> None:
    assert session_owner(Scope("a", "b.c", "d"), "t", "r") != session_owner(Scope("a.b", "c", "d"), "t", "r")
    assert session_owner(SCOPE, "ab", "c") != session_owner(SCOPE, "a", "bc")


def test_a_session_goes_on_through_a_change_of_keys_and_ends_with_the_second() -> None:
    wrapped = wrapped_id(RAW, OWNER, (EARLIER, GONE))
    assert unwrapped_id(wrapped, OWNER, (KEY, EARLIER)) == RAW
    assert refusal(wrapped, keys=(b"n" * 32, KEY)) is Reason.SESSION_INVALID


WRAPPED = wrapped_id(RAW, OWNER, (KEY,))
HEAD, MAC, _ = WRAPPED.split(".")


@pytest.mark.parametrize(
    "agent_id",
    [
        "",
        RAW,
        "." + RAW,
        f"{HEAD}.{RAW}",
        f"{HEAD}..{RAW}",
        f"{HEAD}.{MAC}.",
        f"{HEAD}.{MAC}",
        f"{HEAD}.{MAC}=.{RAW}",
        f"{HEAD}.{MAC.swapcase()}.{RAW}",
        f"{HEAD}.{MAC[:-1]}.{RAW}",
        f"{HEAD}.{MAC[:-1]}ä.{RAW}",
        f"{HEAD.upper()}.{MAC}.{RAW}",
        f"{WRAPPED} ",
        f" {WRAPPED}",
        f"{WRAPPED},{WRAPPED}",
        f"{WRAPPED}\x00",
        f"{HEAD}.{MAC}.{RAW[:-1]}f",
        f"{HEAD}.{MAC}.{RAW.upper()}",
        wrapped_id(RAW, OWNER, (GONE,)),
        wrapped_id(WRAPPED, OWNER, (GONE,)),
        f"{HEAD}.{MAC}.{'x' * 5000}",
    ],
)
def test_an_id_that_is_raw_forged_old_or_spelled_otherwise_is_refused(agent_id: str) -> None:
    assert refusal(agent_id) is Reason.SESSION_INVALID


@given(st.text(max_size=300))
def test_whatever_a_client_calls_a_session_is_refused_and_nothing_else_is_raised(text: str) -> None:
    assert refusal(text) is Reason.SESSION_INVALID
