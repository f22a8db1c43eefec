"""Texts of documents edited in place of those of the revision that is served: looked at, then published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Protocol

from aegis_authz.control.policies.laboratory import Laboratory, LaboratoryBusy
from aegis_authz.control.policies.readings import Reading, Readings
from aegis_authz.control.policies.standing_documents import folder_of, standing_among
from aegis_authz.control.policies.trials import TrialServerMissing, TrialsFault
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch, Revision
from aegis_authz.lab.trial_report import TrialReport
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.release_changes import ReleaseChange
from aegis_authz.policy.source.problems import PolicyErrors, Problem

_MOST_PATH = 512


class Folder(Enum):
    """Where a file of a revision stands."""

    POLICIES = "policies"
    TOOLS = "tools"
    TESTS = "tests"


@dataclass(frozen=True, slots=True)
class FileName:
    """A file of a revision; tests stand beside the policies, by names of their own."""

    folder: Folder
    path: str

    def __str__(self) -> str:
        return f"{self.folder.value}/{self.path}"

    @classmethod
    def parse(cls, text: str) -> FileName:
        """Read `policies/a.yaml`. Raises ValueError for what names no file."""
        folder, _, path = text.partition("/")
        is_path = path.isprintable() and 0 < len(path) <= _MOST_PATH
        if not is_path or folder not in [each.value for each in Folder]:
            raise ValueError(f"a file is policies/NAME, tools/NAME or tests/NAME, of at most {_MOST_PATH} characters")
        return cls(Folder(folder), path)


@dataclass(frozen=True, slots=True)
class Edition:
    """The files of `base` with some texts in place of theirs; an empty text takes its file away."""

    base: Revision
    texts: Mapping[FileName, str]


@dataclass(frozen=True, slots=True)
class Review:
    """What is known of an edition before it is published.

    With `problems` it is not valid, and nothing else is known. `report` is what became of its tests, None with why
    they were not run in `untried`; `is_without_opa` says that it was for want of one.
    """

    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    changes: tuple[ReleaseChange, ...]
    report: TrialReport | None
    untried: str
    is_without_opa: bool


class Linter(Protocol):
    """Finds what is valid and most likely not meant (`control.policies.building`)."""

    def findings(self, sources: Sources, now: datetime) -> list[Finding]:
        """What lint finds in these documents, by the time of now."""
        ...

    def loaded(self, sources: Sources) -> Loaded:
        """These documents, checked. Raises PolicyErrors."""
        ...


class Editor:
    """Looks at editions; publishing them is the release desk's."""

    def __init__(self, readings: Readings, linter: Linter, laboratory: Laboratory, now: Callable[[], Epoch]) -> None:
        self._readings = readings
        self._linter = linter
        self._laboratory = laboratory
        self._now = now

    async def documents(self, edition: Edition) -> tuple[Sources, Mapping[str, str]]:
        """All documents of an edition beside the standing decisions, and its tests: what is to be published.

        Raises RevisionUnknown, ReleasesFault.
        """
        sources, tests = await self._edited(edition)
        return folder_of(sources), tests

    async def review(self, edition: Edition, by: str) -> Review:
        """Check, lint, compare and try an edition. Raises RevisionUnknown, ReleasesFault, TurnMissed."""
        sources, tests = await self._edited(edition)
        try:
            reading = await self._readings.of_sources(sources, by)
            folder = reading
            if standing_among(sources.policies):  # no test is about a standing decision
                folder = await self._readings.of_sources(folder_of(sources), by)
        except PolicyErrors as errors:
            return Review(tuple(errors.problems), (), (), None, "", is_without_opa=False)
        now = datetime.fromtimestamp(self._now(), UTC)
        findings = await asyncio.to_thread(self._linter.findings, sources, now)
        changes = await self._changes(edition.base, reading, by)
        untested = Review((), tuple(findings), tuple(changes), None, "", is_without_opa=False)
        try:
            return replace(untested, report=await self._laboratory.report(folder.loaded, tests, by))
        except PolicyErrors as errors:
            return Review(tuple(errors.problems), (), (), None, "", is_without_opa=False)
        except TrialServerMissing as missing:
            return replace(untested, untried=str(missing), is_without_opa=True)
        except (TrialsFault, LaboratoryBusy) as fault:
            return replace(untested, untried=str(fault))

    async def _edited(self, edition: Edition) -> tuple[Sources, Mapping[str, str]]:
        sources = await self._readings.sources(edition.base)
        tests = await self._readings.tests(edition.base)
        policies, tools, tests = (
            _edited(texts, edition, folder)
            for texts, folder in zip((sources.policies, sources.tools, tests), Folder, strict=True)
        )
        return Sources(policies, tools), tests

    async def _changes(self, base: Revision, after: Reading, by: str) -> Sequence[ReleaseChange]:
        try:
            before = await self._readings.of(base, by)
        except PolicyErrors:  # of what is served under rules of before: there is nothing to compare with
            return ()
        return await self._readings.changes(before, after, by)


def _edited(texts: Mapping[str, str], edition: Edition, folder: Folder) -> dict[str, str]:
    changed = {name.path: text for name, text in edition.texts.items() if name.folder is folder}
    whole = {**texts, **changed}
    return {path: text for path, text in whole.items() if path not in changed or text.strip()}
