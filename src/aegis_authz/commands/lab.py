"""A workbench for a policy folder and a tool catalogue on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aegis_authz.commands.documents import read_documents
from aegis_authz.core.refused import Refused
from aegis_authz.lab.opa import LabError, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.local.servers import ServerMissing, find_opa
from aegis_authz.policy.load import Loaded, load
from aegis_authz.redact.detectors.table import DETECTORS

LAB_FAULTS = (LabError, Refused, ServerMissing)
"""Everything that keeps OPA from being asked here; the messages are fit to show."""


def loaded_folders(policies: Path, tools: Path) -> Loaded:
    """Everything in two folders, checked; files are named as found from here. Raises PolicyErrors, SourceFolderError."""
    sources = read_documents(policies, tools)
    return load(_from_here(policies, sources.policies), _from_here(tools, sources.tools), DETECTORS)


@contextmanager
def bench_of(loaded: Loaded) -> Iterator[Workbench]:
    """These documents, running in an OPA. Raises LabError, ServerMissing."""
    with lab_opa(find_opa()) as opa:
        yield Workbench(loaded, opa)


def _from_here(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    return {str(folder / path): text for path, text in texts.items()}
