"""The tests of a policy folder on a workbench."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.files.sources import read_tests
from aegis_authz.commands.documents import read_documents
from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.opa import lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.local.servers import find_opa
from aegis_authz.policy.load import load
from aegis_authz.redact.detectors.table import DETECTORS


@dataclass(frozen=True, slots=True)
class TrialBench:
    """Documents on a workbench and the tests about them; files are named as they are found from here."""

    bench: Workbench
    cases: tuple[Case, ...]


@contextmanager
def trial_bench(policies: Path, tools: Path) -> Iterator[TrialBench]:
    """Run the documents of two folders and read the tests beside the policies.

    Raises PolicyErrors for documents and tests, SourceFolderError, LabError, ServerMissing.
    """
    sources = read_documents(policies, tools)
    loaded = load(_from_here(policies, sources.policies), _from_here(tools, sources.tools), DETECTORS)
    cases = cases_of(_from_here(policies, read_tests(policies)), loaded)
    with lab_opa(find_opa()) as opa:
        yield TrialBench(Workbench(loaded, opa), tuple(cases))


def _from_here(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    return {str(folder / path): text for path, text in texts.items()}
