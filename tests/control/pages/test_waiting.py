"""The list of held calls: what a filter keeps, and the addresses of its pages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.control.pages.waiting import WaitingFilter, waiting_rows
from aegis_authz.core.scope import Scope
from tests.support.held_calls import HELD

ALL = WaitingFilter("", "", "", 1)
OTHER = replace(HELD, request=replace(HELD.request, scope=Scope("acme", "apac", "teller"), tool="ledger"))


@pytest.mark.parametrize(
    ("choice", "keeps"),
    [
        (ALL, (True, True)),
        (replace(ALL, tenant="acme/emea"), (True, False)),
        (replace(ALL, tenant="acme"), (False, False)),
        (replace(ALL, agent="teller"), (False, True)),
        (replace(ALL, agent="tell"), (False, False)),
        (replace(ALL, tool="stripe"), (True, False)),
        (replace(ALL, tenant="acme/emea", tool="ledger"), (False, False)),
    ],
)
def test_a_filter_keeps_what_is_so_to_the_letter(choice: WaitingFilter, keeps: tuple[bool, bool]) -> None:
    assert (choice.keeps(HELD), choice.keeps(OTHER)) == keeps


def test_each_word_stays_in_the_address() -> None:
    choice = WaitingFilter("acme/emea", "a&b", "", 3)
    assert choice.href("/approvals", 4) == "/approvals?tenant=acme%2Femea&agent=a%26b&page=4"
    assert choice.href("/approvals", 1) == "/approvals?tenant=acme%2Femea&agent=a%26b"


def test_a_list_with_nothing_left_says_whether_that_is_for_its_filter() -> None:
    assert "Nothing waits for you." in waiting_rows([], ALL)
    assert "Nothing like this waits for you." in waiting_rows([OTHER], replace(ALL, tenant="acme/emea"))
