from __future__ import annotations

import pytest

from aegis_authz.commands.faults import Rejected, Unable, unable_on


@unable_on(KeyError, OSError)
def _fails_with(fault: Exception) -> None:
    raise fault


def test_an_expected_fault_is_unable_with_its_message_and_cause() -> None:
    fault = OSError("no such file")
    with pytest.raises(Unable, match="no such file") as unable:
        _fails_with(fault)
    assert unable.value.__cause__ is fault


@pytest.mark.parametrize("fault", [ValueError("a bug"), Rejected("no")])
def test_any_other_fault_stays_what_it_is(fault: Exception) -> None:
    with pytest.raises(type(fault)) as raised:
        _fails_with(fault)
    assert raised.value is fault
