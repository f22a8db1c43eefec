"""Publishing to a mesh, the way back, and what is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.control_connection import ControlRefused
from aegis_authz.adapters.files.sources import read_tests
from aegis_authz.api.policies import ReleaseAnswer, RevisionsAnswer, StatusAnswer
from aegis_authz.api.proposals import ProposalAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.documents import located, read_documents
from aegis_authz.commands.faults import Rejected
from aegis_authz.commands.lab import trial_bench
from aegis_authz.commands.publish_trial import PublishTrial, trial_note
from aegis_authz.core.release import DocumentChanges, Sources
from aegis_authz.lab.trial_report import trial_report
from aegis_authz.policy.source.problems import PolicyErrors, printable

_MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Publication:
    """What became of a publication, and what it changes; a proposal waits for another person."""

    release: ReleaseAnswer | ProposalAnswer
    policies: DocumentChanges
    tools: DocumentChanges


def publish(
    state: Path,
    policies: Path,
    tools: Path,
    message: str,
    wait: float,
    *,
    allow_empty: bool,
    is_tested: bool,
    trial: PublishTrial | None = None,
    accept: str = "",
) -> Publication:
    """Publish the documents of two folders to the mesh in `state`; wait at most `wait` seconds for OPA to run them.

    The tests beside them must pass, here and at the control plane, unless they are not to be run: then they are not
    sent either, and the change log says so. An empty folder in
    place of documents that are served is refused unless `allow_empty`. With a `trial` they are tried on recorded calls,
    too, and the change log says what that came to; `accept` is why what a control plane's own trial comes to is
    accepted. Raises PolicyErrors naming files as they are
    found from here, Unable, Rejected, SourceFolderError.
    """
    sources = read_documents(policies, tools)
    tests = read_tests(policies) if is_tested else {}
    if is_tested:
        _require_tests(policies, tools)
    else:
        message = f"{message} (tests were not run)".strip()
    if trial is not None:
        message = f"{message} {trial_note(trial, policies, tools)}".strip()
    with control_plane(state) as control:
        current = control.revisions().current
        served_now = control.sources(current) if current else None
        before = Sources({}, {}) if served_now is None else Sources(served_now.policies, served_now.tools)
        if not allow_empty:
            _refuse_nothing(policies, sources.policies, before.policies)
            _refuse_nothing(tools, sources.tools, before.tools)
        try:
            release = control.publish(sources.policies, sources.tools, tests, message, wait, accept)
            return Publication(
                release,
                DocumentChanges.between(before.policies, sources.policies),
                DocumentChanges.between(before.tools, sources.tools),
            )
        except ControlRefused as refused:
            if not refused.problems:
                raise
            texts = Sources({**sources.policies, **tests}, sources.tools)
            raise PolicyErrors(located(refused.problems, texts, policies, tools)) from None


def _require_tests(policies: Path, tools: Path) -> None:
    """Raises Rejected where a test fails, PolicyErrors and Unable where tests cannot be run."""
    if not read_tests(policies):
        return
    with trial_bench(policies, tools) as ready:
        report = trial_report(ready.bench, ready.cases, ready.identity_cases, covers=False)
    failures = [outcome.case.name for outcome in report.failures]
    if failures:
        names = "; ".join(printable(name) for name in failures[:_MOST_NAMES])
        raise Rejected(
            f"{len(failures)} of {len(report.outcomes)} tests fail, and nothing is published: {names}. "
            "aegis policy test says what was expected"
        )


def _refuse_nothing(folder: Path, texts: Mapping[str, str], before: Mapping[str, str]) -> None:
    if before and not texts:
        raise Rejected(
            f"{folder} holds no documents, and {len(before)} are served; to replace them by nothing, say --allow-empty"
        )


def rollback(state: Path, revision: str, message: str, wait: float, accept: str = "") -> ReleaseAnswer | ProposalAnswer:
    """Serve the documents of an earlier revision again, and wait as `publish` does. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.rollback(revision, message, wait, accept)


def revisions_between(state: Path, before: str, after: str) -> tuple[Sources, Sources]:
    """The documents of two revisions; of what is served where the second is "". Raises Unable, Rejected."""
    with control_plane(state) as control:
        names = (before, after or control.revisions().current)
        answers = [control.sources(name) for name in names]
    former, own = (Sources(answer.policies, answer.tools) for answer in answers)
    return former, own


def change_log(state: Path) -> RevisionsAnswer:
    """The changes of what is served, newest first. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.revisions()


def served(state: Path) -> tuple[StatusAnswer, RevisionsAnswer]:
    """What is served and what each OPA runs; and the change log. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.status(), control.revisions()
