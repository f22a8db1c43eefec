"""A task as people write it, in files and options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.commands.faults import Unable
from aegis_authz.commands.narrowing import TaskOptions, read_token, task_details, task_of_options, write_token
from aegis_authz.core.grant import GrantRequest
from aegis_authz.policy.source.problems import PolicyErrors

NOW = 1_800_000_000.5
NOTHING = TaskOptions(None, (), (), (), None, None, None)
FILE = """\
tools:
  bank: {pay: {payee: [ACME, Globex], amount: [5]}}
  vault: {"*": {}}
calls: 3
expires_in: 600
depth: 0
"""


def task(text: str, folder: Path) -> GrantRequest:
    path = folder / "task.yaml"
    path.write_text(text, "utf-8")
    return task_of_options(replace(NOTHING, file=path), NOW)


def test_a_task_is_read_from_a_file(tmp_path: Path) -> None:
    tools = {"bank": {"pay": {"payee": ("ACME", "Globex"), "amount": (5,)}}, "vault": {"*": {}}}
    assert task(FILE, tmp_path) == GrantRequest(tools, 3, 1_800_000_600.0, 0)
    assert task("expires_at: 2027-01-15T09:00:00+01:00\n", tmp_path).expires_at == 1_800_000_000.0
    assert task('{"calls": 2}', tmp_path) == GrantRequest(None, 2, None, None)
    assert task_details(tmp_path / "task.yaml", NOW) == '[{"type":"aegis_task","calls":2}]'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "exactly one task"),
        ("calls: 1\n---\ncalls: 2\n", "exactly one task"),
        ("cals: 1\n", "cals"),
        ("calls: 0\n", "calls"),
        ("depth: 5\n", "depth"),
        ("{}\n", "must narrow something"),
        ("tools: {bank: {pay: {payee: ACME}}}\n", "no list of values"),
        ("tools: {}\n", "no tools"),
        ("{expires_in: 5, expires_at: 2027-01-15T09:00:00Z}\n", "either expires_in or expires_at"),
        ("expires_at: soon\n", "must be a moment"),
    ],
)
def test_a_file_that_is_no_task_is_an_error_with_its_place(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyErrors, match=problem) as errors:
        task(text, tmp_path)
    assert str(tmp_path / "task.yaml") in str(errors.value)


@pytest.mark.parametrize("last", ["calls: 1\n", "depth: 0\n", "expires_in: 60\n"])
def test_a_file_that_is_longer_than_a_task_may_be_is_refused_and_never_cut(last: str, tmp_path: Path) -> None:
    wide = "tools: {bank: {pay: {}}}\n"
    longest = f"{wide}#{' ' * (65_536 - len(wide) - len(last) - 2)}\n{last}"
    assert task(longest, tmp_path) == task(f"{wide}{last}", tmp_path)  # all of it is read
    for text in (f"{longest} ", f"#{' ' * 65_536}\n{wide}{last}", f"{wide}#{' ' * 90_000}\n{last}"):
        with pytest.raises(Unable, match=rf"task\.yaml: {len(text)} bytes are too many"):
            task(text, tmp_path)


def test_options_make_a_task_of_one_tool() -> None:
    options = replace(NOTHING, tools=("bank",), actions=("pay",), values=("payee=ACME", "payee=7", "amount=5"), calls=2)
    assert task_of_options(options, NOW) == GrantRequest(
        {"bank": {"pay": {"payee": ("ACME", 7), "amount": (5,)}}}, 2, None, None
    )
    assert task_of_options(replace(NOTHING, tools=("bank", "vault"), expires_at=NOW + 60), NOW) == GrantRequest(
        {"bank": {"*": {}}, "vault": {"*": {}}}, None, 1_800_000_060.0, None
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "say what to narrow"),
        ({"actions": ("pay",)}, "are of a tool"),
        ({"values": ("a=1",)}, "are of a tool"),
        ({"tools": ("bank", "vault"), "actions": ("pay",)}, "go with one --tool"),
        ({"tools": ("bank",), "values": ("payee",)}, "is not NAME=VALUE"),
        ({"tools": ("bank",), "values": ("payee=[1]",)}, "a value is neither"),
        ({"tools": ("bank",), "values": ('payee={"a":1,"a":2}',)}, "--value"),
        ({"tools": ("Bank",)}, "no name of a tool"),
        ({"file": Path("x"), "depth": 0}, "either in a file or in options"),
        ({"file": Path("/nowhere/task.yaml")}, "No such file"),
    ],
    ids=str,
)
def test_options_that_make_no_task_are_an_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(Unable, match=problem):
        task_of_options(replace(NOTHING, **options), NOW)


def test_a_token_is_written_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_token(path, "a.b.c")
    assert (path.stat().st_mode & 0o777, read_token(path)) == (0o600, "a.b.c")


@pytest.mark.parametrize("content", [b"", b"a.b", b"a.b.c d", b"\xff.b.c"])
def test_what_is_no_token_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Unable, match="no token"):
        read_token(tmp_path / "token")
