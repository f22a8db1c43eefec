from __future__ import annotations

import pytest

from aegis_authz.notices.pause import pause_until
from aegis_authz.ports.commits import LONGEST


@pytest.mark.parametrize(
    ("due", "pause"),
    [
        pytest.param(None, LONGEST, id="nothing is due ever"),
        pytest.param(1_000.25, 0.25, id="soon"),
        pytest.param(1_012.0, 12.0, id="later"),
        pytest.param(5_000.0, LONGEST, id="much later"),
        pytest.param(1_000.0, 1.0, id="now, and somebody else has it"),
        pytest.param(900.0, 1.0, id="long ago, and somebody else has it"),
    ],
)
def test_who_delivers_sleeps_until_the_next_is_due(due: float | None, pause: float) -> None:
    assert pause_until(due, 1_000.0) == pause
