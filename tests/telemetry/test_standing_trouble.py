"""What hinders a loop is in the log once, until it is another or over."""

from __future__ import annotations

import logging

import pytest

from aegis_authz.telemetry.standing_trouble import StandingTrouble

LOG = logging.getLogger("aegis_authz.tests.standing_trouble")


def test_a_trouble_is_logged_once_until_it_is_another_or_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    trouble = StandingTrouble(LOG, logging.ERROR)
    with caplog.at_level(logging.ERROR):
        for text in ("the disk is away", "the disk is away", "the disk is full", "the disk is away"):
            trouble.begin(text)
            assert trouble.text == text
        trouble.end()
        assert trouble.text == ""
        trouble.begin("the disk is away")
    messages = [record.getMessage() for record in caplog.records]
    assert messages == ["the disk is away", "the disk is full", "the disk is away", "the disk is away"]
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


def test_a_trouble_is_no_format_and_that_of_the_beginning_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    trouble = StandingTrouble(LOG, logging.WARNING, "nothing is written yet")
    with caplog.at_level(logging.WARNING):
        trouble.begin("nothing is written yet")
        trouble.begin("100%s full")
    assert [record.getMessage() for record in caplog.records] == ["100%s full"]
