"""`aegis size`: a table for people, JSON for programs, 2 and a sentence for numbers that are none."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from aegis_authz.cli.app import app

RUNNER = CliRunner()


def test_people_read_lines_and_programs_read_the_same_as_json() -> None:
    words = ["size", "--rps", "10000", "--agents", "5000", "--token-life", "60"]
    lines = RUNNER.invoke(app, words).stdout
    mesh = json.loads(RUNNER.invoke(app, [*words, "--json"]).stdout)
    assert f"{mesh['redis_keys']:,} keys" in lines
    assert f"{mesh['breaks_first']}, at {mesh['breaks_at_rps']:,} calls a second" in lines
    assert mesh["redis_keys"] >= 600_000


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--rps", "0"], "--rps is calls a second: above 0"),
        (["--rps", "nan"], "--rps is calls a second: above 0"),
        (["--rps", "5", "--agents", "0"], "--agents is a whole number from 1"),
        (["--rps", "5", "--token-life", "9999"], "--token-life is seconds: from 1 to 3600"),
        (["--rps", "many"], "Invalid value for '--rps'"),
        ([], "Missing option '--rps'"),
    ],
)
def test_numbers_that_are_none_are_said(words: list[str], complaint: str) -> None:
    result = RUNNER.invoke(app, ["size", *words])
    assert result.exit_code == 2
    assert complaint in result.stderr
