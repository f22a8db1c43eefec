"""The adapters, each beside the newest release of what it is for; models are scripts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sdk.node.tests.conftest import SDK, run

pytestmark = pytest.mark.slow

TESTS = sorted(path.name for path in (SDK / "tests" / "frameworks").glob("*.test.mjs"))


@pytest.mark.parametrize("name", TESTS)
def test_the_adapter_does_what_its_tests_say(name: str, frameworks: Path, node22: str) -> None:
    path = frameworks / "tests" / "frameworks" / name
    printed = run([node22, "--test", "--test-reporter=tap", "--test-timeout=60000", str(path)], frameworks)
    passed = re.search(r"^# pass (\d+)$", printed, re.MULTILINE)
    assert "# fail 0" in printed
    assert passed is not None
    assert int(passed[1]) >= path.read_text("utf-8").count("test(") > 0


def test_each_adapter_has_its_tests() -> None:
    # that of langgraph stands in langchain's
    adapters = {"ai", "axios", "langchain", "mastra", "openai-agents", "undici"}
    assert {f"{adapter}.test.mjs" for adapter in adapters} == set(TESTS)


def test_the_lock_of_the_frameworks_names_no_registry() -> None:
    lock = (SDK / "frameworks" / "package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert "registry" not in lock
