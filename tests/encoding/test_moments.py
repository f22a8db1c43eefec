from __future__ import annotations

import pytest

from aegis_authz.encoding.moments import read_moment

NOW = 1_795_408_921.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", NOW - 90),
        ("10m", NOW - 600),
        ("2h", NOW - 7200),
        ("1d", NOW - 86_400),
        ("1970-01-02", 86_400.0),
        ("1970-01-01T01:00", 3600.0),
        ("1970-01-01T01:00Z", 3600.0),
        ("1970-01-01T01:00+01:00", 0.0),
    ],
)
def test_a_moment_is_how_long_ago_or_when(text: str, moment: float) -> None:
    assert read_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10 m", "-5m", "5w", "2026-13-01", "1h30m"])
def test_what_is_no_moment_is_refused_with_what_may_be_written(text: str) -> None:
    with pytest.raises(ValueError, match="90s, 10m, 2h, 1d"):
        read_moment(text, NOW)
