"""The chart as Helm renders it, and where its parts are."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.container_engine import ROOT, Engine, load_bases, running_engine

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


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker engine with our images, built here."""
    folder = Path(tempfile.mkdtemp(prefix="aegis-engine-", dir="/tmp"))  # its socket needs a short path
    try:
        with running_engine(folder) as running:
            load_bases(running)
            running.run(str(ROOT / "deploy" / "images" / "fetch-wheels"))
            running.run(str(ROOT / "deploy" / "images" / "build"), "aegis", "aegis-envoy", "aegis-init")
            yield running
    finally:
        subprocess.run(f"rm -rf {folder}".split(), check=False)  # layers of images: many thousand files
