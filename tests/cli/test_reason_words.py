from __future__ import annotations

import pytest

from aegis_authz.cli.reason_words import read_reason
from aegis_authz.core.reason import Reason


@pytest.mark.parametrize("word", ["REPLAYED", "replayed", "Replayed"])
def test_a_reason_is_read_in_any_case(word: str) -> None:
    assert read_reason(word) is Reason.REPLAYED


def test_what_is_no_reason_is_refused_with_those_near_to_it() -> None:
    with pytest.raises(ValueError, match="'REPLAYD' is no reason; near to it: REPLAYED"):
        read_reason("REPLAYD")
    with pytest.raises(ValueError, match=r"'x' is no reason$"):
        read_reason("x")
