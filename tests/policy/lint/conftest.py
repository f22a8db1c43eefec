"""A real OPA that says whether a lint is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.opa import LabOpa, lab_opa


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running
