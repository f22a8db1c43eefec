"""A vegeta to send loads with, and the lines it writes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta

Row = Callable[..., str]
MS = 1_000_000


@pytest.fixture(scope="session")
def vegeta() -> Path:
    try:
        return find_vegeta()
    except (VegetaMissing, OSError) as problem:
        pytest.skip(str(problem))


@pytest.fixture
def row() -> Row:
    """A line of `vegeta encode --to csv`; times in milliseconds."""

    def line(
        seq: int,
        at: float,
        took: float,
        code: int = 200,
        due: str = "200",
        body: str = "",
        head: str = "",
        error: str = "",
    ) -> str:
        texts = [base64.b64encode(text.encode()).decode() for text in (body, head)]
        url = f"http://127.0.0.1:1/pay#{due}" if due else ""
        numbers = f"{round(at * MS)},{code},{round(took * MS)},0,0"
        return f"{numbers},{error},{texts[0]},,{seq},POST,{url},{texts[1]}\n"

    return line
