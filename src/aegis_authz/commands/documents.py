"""Policies and tool catalogues as folders of documents: read, checked, built into bundles."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError, load_keys, load_p256
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import unable_on
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.release import Sources
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.ports.control_plane import RevocationListFault
from aegis_authz.redact.detectors.table import DETECTORS


def read_documents(policies: Path, tools: Path) -> Sources:
    """All documents of two folders, by relative path. Raises SourceFolderError."""
    return Sources(read_sources(policies), read_sources(tools))


def documents_from_here(policies: Path, tools: Path) -> Sources:
    """All documents of two folders, named as their files are found from here. Raises SourceFolderError."""
    return Sources(from_here(policies, read_sources(policies)), from_here(tools, read_sources(tools)))


def from_here(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """The texts of a folder's files, named as the files are found from here."""
    return {str(folder / path): text for path, text in texts.items()}


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage while documents are read: nothing of them is garbage soon, and to look takes a third of the
    time.

    It stops the collector of the whole process, so it is for a command alone, never for a server.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def validate_documents(policies: Path, tools: Path) -> tuple[int, int]:
    """Check documents as publishing would; returns how many policies and tools there are.

    Raises PolicyErrors naming files as they are found from here, SourceFolderError.
    """
    sources = read_documents(policies, tools)
    try:
        with uncollected():
            loaded = load(sources.policies, sources.tools, DETECTORS)
    except PolicyErrors as errors:
        raise PolicyErrors(located(errors.problems, sources, policies, tools)) from None
    return len(loaded.policies), len(loaded.tools)


@unable_on(KeyFolderError, RevocationListFault, SettingsError)
def build_bundle(policies: Path, tools: Path, state: Path, key: Path | None, out: Path) -> tuple[str, int]:
    """Write the signed bundle of these documents under a mesh's settings and public keys; returns revision and size.

    `key` None signs with the mesh's own key. Raises PolicyErrors, Unable, OSError.
    """
    settings = load_settings(state / "control.yaml", ControlSettings)
    keys = load_keys(state / "keys")
    if key is not None:
        keys = replace(keys, bundle=load_p256(key))
    sources = read_documents(policies, tools)
    try:
        with uncollected():
            live = policy_builder(settings, keys).build(sources)
    except PolicyErrors as errors:
        raise PolicyErrors(located(errors.problems, sources, policies, tools)) from None
    out.write_bytes(live.bundle)
    return live.revision, len(live.bundle)


def located(problems: tuple[Problem, ...], sources: Sources, policies: Path, tools: Path) -> tuple[Problem, ...]:
    """The problems with their files named as they are found from here, where only one folder has that file."""

    def locate(problem: Problem) -> Problem:
        in_policies, in_tools = problem.path in sources.policies, problem.path in sources.tools
        if in_policies == in_tools:
            return problem
        return replace(problem, path=str((policies if in_policies else tools) / problem.path))

    return tuple(locate(problem) for problem in problems)
