"""Where the frameworks are that the adapters are for: `make test-sdk` installs them, in a place of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:{ROOT / 'sdk' / 'python' / 'src'}"}


def interpreter(environment: str = ".sdk") -> str:
    """A Python that has them, or of `.sdk-crewai` CrewAI, of `.sdk-mcp1` version 1 of MCP's SDK. Skips the test where
    there is none."""
    python = ROOT / ".venv" / environment / "bin" / "python"
    if not (ROOT / ".venv" / ".sdk" / ".installed").is_file():
        pytest.skip("NO FRAMEWORKS: run make test-sdk, which installs them")
    return str(python)


def quiet(home: Path) -> dict[str, str]:
    """For CrewAI, which reports its runs to its makers, and keeps what it was told in the home folder."""
    return {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "HOME": str(home)}
