"""A workbench for a policy folder and a tool catalogue on this machine, with the tests about them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aegis_authz.adapters.files.sources import read_tests
from aegis_authz.commands.documents import documents_from_here, from_here, uncollected
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.lab_store import LabStore, lab_redis
from aegis_authz.core.decision import Decision
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import Case, cases_of
from aegis_authz.lab.identity_cases import IdentityCase, identity_cases_of
from aegis_authz.lab.opa import LabError, lab_opa
from aegis_authz.lab.sequence_cases import Play
from aegis_authz.lab.sequences import Played, played
from aegis_authz.lab.workbench import Workbench
from aegis_authz.local.servers import ServerMissing, find_opa, find_redis
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
    with unable_on(LabError, Refused, ServerMissing), ExitStack() as stack:
        opa = stack.enter_context(lab_opa(find_opa()))
        settle = partial(_settled, stack.enter_context(lab_redis(find_redis()))) if plays_sequences else None
        yield Workbench(loaded, opa, settle)


def _settled(
    address: Path,
    plays: Sequence[tuple[TriedCall, Play]],
    decisions: Sequence[Decision | Refused],
    snapshot: Snapshot,
) -> list[list[Played]]:
    """Play the calls on the Redis at a socket."""

    async def play() -> list[list[Played]]:
        own = LabStore(address)
        try:
            return await played(plays, decisions, snapshot, own)
        finally:
            await own.close()

    return asyncio.run(play())


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
