"""Every way around the gateway that a hostile agent could try, first without the rules and then with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.bypass.conftest import EVIL4, RULES, TOOL4

if TYPE_CHECKING:
    from tests.bypass.conftest import Bypass

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PROBES = yaml.safe_load((Path(__file__).parent / "probes.yaml").read_text("utf-8"))
SEES: dict[str, set[str]] = {"nothing": set(), "tool": {TOOL4}, "everything": {EVIL4}}


@pytest.mark.parametrize("case", PROBES, ids=lambda case: case["why"])
async def test_no_way_around(bypass: Bypass, case: dict[str, Any]) -> None:
    allowed = SEES[case.get("sees", "nothing")]
    answer, places = await bypass.attempt(case["probe"], *allowed)
    match case.get("without", "reaches"):
        case "reaches":
            assert places, f"the control reached nobody: the agent got {answer!r}"
        case "stays":
            assert not places, f"the sandbox was to hold it: the agent got {answer!r}"
    await bypass.rules(RULES)
    answer, places = await bypass.attempt(case["probe"], *allowed)
    assert places == allowed, f"the world saw it at {places}; the agent got {answer!r}"
    assert answer.startswith(tuple(case["gets"])), answer
