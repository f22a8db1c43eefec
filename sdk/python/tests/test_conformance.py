"""Every client and adapter of the SDK for Python plays the cases of `sdk/conformance`, each in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sdk.conformance.runner import Stage, play_all, player
from sdk.conformance.table import hold_row
from sdk.python.tests.frameworks import ENVIRONMENT, interpreter, quiet

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

CLIENTS = ["aiohttp", "httpx", "httpx async", "httpx2", "httpx2 async", "openai", "openai async", "requests"]
FRAMEWORKS = {
    "agent-framework": "middlewares",
    "anthropic": "clients",
    "anthropic async": "clients",
    "claude-agent-sdk": "queries",
    "google-adk": "confirmations",
    "langchain": "graphs",
    "langgraph": "graphs",
    "openai-agents": "runs",
    "pydantic-ai": "deferrals",
}
"""What is played by which module, with a Python that has it."""


@pytest.mark.parametrize("name", CLIENTS)
async def test_each_case_comes_to_what_the_list_says(name: str, conformance: Stage) -> None:
    await hold(sys.executable, "clients", name, conformance)


@pytest.mark.parametrize("name", FRAMEWORKS)
async def test_each_case_comes_to_the_same_in_a_framework(name: str, conformance: Stage) -> None:
    await hold(interpreter(), FRAMEWORKS[name], name, conformance)


@pytest.mark.parametrize("name", ["crewai", "crewai by text"])
async def test_each_case_comes_to_the_same_in_a_crew(name: str, conformance: Stage, tmp_path: Path) -> None:
    await hold(interpreter(".sdk-crewai"), "crews", name, conformance, quiet(tmp_path))


async def hold(python: str, module: str, name: str, stage: Stage, environment: dict[str, str] | None = None) -> None:
    command = [python, "-m", f"sdk.python.tests.players.{module}", name]
    async with player(command, {**ENVIRONMENT, **(environment or {})}) as process:
        outcomes, problems = await play_all(stage, process)
    assert problems == []
    hold_row(f"{name} (Python)", outcomes)
