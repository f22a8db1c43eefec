from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.residency import Residency
from aegis_authz.policy.bundle.residency_data import residency_from_data, residency_to_data

RESIDENCY = Residency("eu", frozenset({"acme/emea", "globex/*"}), {"us": "http://us.mesh.example"})


def test_what_is_written_is_read() -> None:
    assert residency_from_data(residency_to_data(RESIDENCY)) == RESIDENCY
    assert residency_from_data(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"region": "EU"},
        {"region": ""},
        {"region": None},
        {"tenants": ["*"]},
        {"tenants": "acme/emea"},
        {"gateways": {"U S": "http://us.example"}},
        {"gateways": {"us": None}},
        {"others": "allow"},
    ],
)
def test_anything_else_is_no_residency(change: dict[str, Any]) -> None:
    data = residency_to_data(RESIDENCY)
    assert isinstance(data, dict)
    with pytest.raises(ValueError, match=r"."):
        residency_from_data(data | change)


@pytest.mark.parametrize("data", [{}, [], "eu", True, {"region": "eu"}])
def test_nor_is_a_part_of_one(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        residency_from_data(data)
