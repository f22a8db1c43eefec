"""The demo's scenario, chapter by chapter, on the real mesh."""

from __future__ import annotations

import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import CHAPTERS
from aegis_authz.demo.scenario import Chapter

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.__name__)
async def test_every_line_of_the_chapter_is_as_expected(chapter: Chapter, mesh: DemoMesh, agent: Agent) -> None:
    rows = await chapter(mesh, agent)
    assert rows
    assert [row for row in rows if not row.ok] == []
