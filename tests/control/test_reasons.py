from __future__ import annotations

import pytest

from aegis_authz.control.reasons import advice
from aegis_authz.core.reason import REASONS, Reason


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.value)
def test_the_advice_is_that_of_the_table_and_the_page(reason: Reason) -> None:
    said = advice(reason)
    assert (said.sentence, said.retry) == (REASONS[reason].text, REASONS[reason].retry.value)
    assert len(said.cause) > 3 and len(said.remedy) > 3
