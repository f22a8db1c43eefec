"""Clients and adapters of the SDK for Node play the cases of `sdk/conformance`, each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdk.conformance.runner import Stage, play_all, player
from sdk.conformance.table import hold_row

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PLAYERS = {
    "fetch": "clients",
    "axios": "clients",
    "undici": "clients",
    "langchain": "frameworks",
    "ai": "frameworks",
    "mastra": "frameworks",
    "openai-agents": "frameworks",
}
"""What is played by which program."""


@pytest.mark.parametrize("name", PLAYERS)
async def test_each_case_comes_to_what_the_list_says(
    name: str, conformance: Stage, frameworks: Path, node22: str
) -> None:
    program = frameworks / "tests" / "players" / f"{PLAYERS[name]}.mjs"
    async with player([node22, str(program), name]) as process:
        outcomes, problems = await play_all(conformance, process)
    assert problems == []
    hold_row(f"{name} (Node)", outcomes)
