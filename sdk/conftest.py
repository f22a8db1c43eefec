"""One running mesh for all players of the conformance cases, of both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sdk.conformance.runner import Stage, stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def conformance(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with stage(tmp_path_factory.mktemp("conformance") / "mesh") as running:
        yield running
