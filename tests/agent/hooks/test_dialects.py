"""What coding agents ask, and what they are answered."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.agent.hooks.dialects import Dialect, HookFault, ToolUse, allowed, refused, tool_use

QUESTION = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}, "cwd": "/p"}


def test_a_question_of_each_client_names_the_tool_and_its_arguments() -> None:
    assert tool_use(json.dumps(QUESTION).encode()) == ToolUse("Bash", {"command": "ls"}, "/p")
    cursor = {"hook_event_name": "preToolUse", "tool_name": "Shell", "tool_input": {"command": "ls"}, "model": "m"}
    assert tool_use(json.dumps(cursor).encode()) == ToolUse("Shell", {"command": "ls"}, "")


@pytest.mark.parametrize(
    "change",
    [
        {"hook_event_name": "PostToolUse"},
        {"hook_event_name": None},
        {"tool_name": ""},
        {"tool_name": 1},
        {"tool_input": [1]},
        {"tool_input": "ls"},
        {"cwd": 1},
        {"cwd": "/a" * 2049},
        {"cwd": "/a\0"},
    ],
)
def test_what_is_no_question_about_a_call_is_a_fault(change: dict[str, object]) -> None:
    with pytest.raises(HookFault):
        tool_use(json.dumps({**QUESTION, **change}).encode())


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"a":1,"a":2}', b"[" * 9999])
def test_what_is_no_json_or_says_a_member_twice_is_a_fault(body: bytes) -> None:
    with pytest.raises(HookFault):
        tool_use(body)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_question_or_a_fault(body: bytes) -> None:
    try:
        assert tool_use(body).name
    except HookFault as fault:
        assert str(fault)


@pytest.mark.parametrize(
    ("name", "server", "is_of_it"),
    [
        ("mcp__memory__read", "memory", True),
        ("mcp__my_server__read", "my server", True),
        ("mcp__a__b__c", "a", True),
        ("mcp__a__b__c", "a__b", True),
        ("mcp__memory", "memory", False),
        ("mcp__other__memory__read", "memory", False),
        ("Bash", "Bash", False),
        ("MCP:read", "memory", True),
    ],
)
def test_a_tool_of_an_mcp_server_says_so(name: str, server: str, is_of_it: bool) -> None:
    assert ToolUse(name, {}, "").is_of_server(server) is is_of_it
    assert ToolUse(name, {}, "").is_of_mcp is (name != "Bash")


def test_an_allow_leaves_the_client_its_own_questions_and_is_never_silence_for_cursor() -> None:
    assert [allowed(dialect) for dialect in Dialect] == [b"{}", b"{}", b'{"permission":"allow"}']


@pytest.mark.parametrize("dialect", Dialect)
def test_a_refusal_is_a_denial_with_its_reason(dialect: Dialect) -> None:
    answer = json.loads(refused(dialect, 'Not "this".\n'))
    if dialect is Dialect.CURSOR:
        assert answer == {"permission": "deny", "user_message": 'Not "this".\n', "agent_message": 'Not "this".\n'}
    else:
        assert answer["hookSpecificOutput"] == {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": 'Not "this".\n',
        }
