"""A workbench for a policy folder and a tool catalogue on this machine, with the tests about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.files.sources import read_tests
from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.commands.documents import documents_from_here, from_here, uncollected
from aegis_authz.commands.faults import unable_on
from aegis_authz.core.refused import Refused
from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.identity_cases import IdentityCase, identity_cases_of
from aegis_authz.lab.opa import LabError
from aegis_authz.lab.workbench import Workbench
from aegis_authz.local.servers import ServerMissing
from aegis_authz.policy.load import Loaded, load
from aegis_authz.redact.detectors.table import DETECTORS


@dataclass(frozen=True, slots=True)
class TrialBench:
    """Documents on a workbench and the tests about them; files are named as they are found from here."""

    bench: Workbench
    cases: tuple[Case, ...]
    identity_cases: tuple[IdentityCase, ...]


def loaded_folders(policies: Path, tools: Path) -> Loaded:
    """Everything in two folders, checked; files are named as found from here.

    Raises PolicyErrors, SourceFolderError.
    """
    sources = documents_from_here(policies, tools)
    with uncollected():
        return load(sources.policies, sources.tools, DETECTORS)


@contextmanager
def bench_of(loaded: Loaded, plays_sequences: bool = False) -> Iterator[Workbench]:
    """These documents, running in an OPA, and beside a Redis where sequences are to be played or calls settled.

    Raises Unable, also for what these fail at inside the block.
    """
    with unable_on(LabError, Refused, ServerMissing), lab_bench(loaded, plays_sequences) as bench:
        yield bench


@contextmanager
def trial_bench(policies: Path, tools: Path) -> Iterator[TrialBench]:
    """Run the documents of two folders and read the tests beside the policies.

    Raises PolicyErrors for documents and tests, SourceFolderError, Unable.
    """
    loaded = loaded_folders(policies, tools)
    tests = from_here(policies, read_tests(policies))
    cases, identity_cases = cases_of(tests, loaded), identity_cases_of(tests, loaded.identities)
    with bench_of(loaded, any(case.play is not None for case in cases)) as bench:
        yield TrialBench(bench, tuple(cases), tuple(identity_cases))
