"""The chart as Helm renders it, and where its parts are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHART = HERE.parents[1] / "deploy" / "helm" / "aegis"
SETS = sorted(path.stem for path in (HERE / "values").glob("*.yaml"))


@pytest.fixture(scope="session")
def helm() -> str:
    """Helm's command, named by AEGIS_HELM or on PATH; without it the test is skipped, loudly."""
    path = os.environ.get("AEGIS_HELM") or shutil.which("helm")
    if path is None:
        pytest.skip("NO HELM: put it on PATH or name it by AEGIS_HELM (go install helm.sh/helm/v3/cmd/helm@latest)")
    return path
