"""The pages on which published policies are read: versions, documents, differences, tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import address, page_of
from aegis_authz.control.policies.editing import FileName, Folder
from aegis_authz.control.policies.readings import Reading
from aegis_authz.control.policies.status_board import OpaState
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.proposal import Proposal
from aegis_authz.core.release import Change, Sources
from aegis_authz.core.units import Revision
from aegis_authz.lab.coverage import Coverage, percent_of
from aegis_authz.lab.trial_problems import failure_sentence
from aegis_authz.lab.trial_report import TrialReport
from aegis_authz.policy.release_changes import ReleaseChange
from aegis_authz.policy.source.binaries import is_binary
from aegis_authz.policy.source.problems import printable
from aegis_authz.policy.text_changes import document_difference

ROWS = 25
"""Versions on a page of the list."""
_MOST_FILES = 500
_MOST_LINES = 2_000
_MOST_CHANGES = 500
_MOST_TESTS = 300
_MOST_GAPS = 20
_MOST_OPAS = 100
_MOST_INSTANCES = 20
_MOST_TITLES = 5
_MOST_COMPARED = 400_000
"""Characters of texts that are compared line by line: what that takes grows with their square."""
_LONGEST = 400
_MOST_TEXT = 100_000
"""Characters of a text on a page: a page stays below 300 KB."""
KINDS = ("first", "published", "rolled_back", "rebuilt", "interrupted")
"""How a version came to be, as the list's filter names it."""


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """What the list of versions shows; "" for all. Pages count from 1."""

    by: str
    kind: str
    page: int

    def matches(self, change: Change) -> bool:
        """Whether a change of the log is one of these versions."""
        return change.agent is None and self.by in ("", change.by) and self.kind in ("", change.kind.value)

    def address(self, page: int) -> str:
        """The address of another page of the same list."""
        return address("/policies", {"by": self.by, "kind": self.kind, "page": page if page > 1 else ""})


@dataclass(frozen=True, slots=True)
class Overview:
    """What is served and by whom it runs, what waits, and all that was served before, newest first."""

    served: Revision
    changes: Sequence[Change]
    opas: Sequence[OpaState]
    proposals: Sequence[Proposal]
    may_publish: bool


def policies_page(overview: Overview, query: VersionQuery, frame: Frame) -> Response:
    """The list of versions, which OPA runs what, and the publications that wait for a second person."""
    versions = [change for change in overview.changes if query.matches(change)]
    first = (query.page - 1) * ROWS
    served = next((change for change in overview.changes if change.agent is None), None)
    # those that need a look first
    opas = sorted((_opa(state, overview.served) for state in overview.opas), key=lambda opa: bool(opa["is_current"]))
    return page_of(
        "policies.html",
        200,
        frame,
        served=overview.served,
        latest=None if served is None else _version(served, overview.served),
        versions=[_version(change, overview.served) for change in versions[first : first + ROWS]],
        count=len(versions),
        before=query.address(query.page - 1) if query.page > 1 else "",
        after=query.address(query.page + 1) if first + ROWS < len(versions) else "",
        filters=[
            {"name": "by", "label": "by", "value": query.by},
            {"name": "kind", "label": "how", "value": query.kind, "choices": KINDS},
        ],
        opas=opas[:_MOST_OPAS],
        more_opas=max(0, len(opas) - _MOST_OPAS),
        proposals=[_proposal(proposal) for proposal in overview.proposals],
        may_publish=overview.may_publish,
    )


@dataclass(frozen=True, slots=True)
class RevisionSheet:
    """A revision with its documents and tests. `reading` is None where they are not valid today, with `problems`."""

    revision: Revision
    served: Revision
    change: Change | None
    sources: Sources
    tests: Mapping[str, str]
    reading: Reading | None
    problems: Sequence[str]
    opas: Sequence[OpaState]
    may_publish: bool
    seal: str
    cautions: Sequence[str]
    refusal: str = ""


def revision_page(sheet: RevisionSheet, frame: Frame) -> Response:
    """One revision: what it is made of, and what can be done with it; 409 with a refusal."""
    return page_of(
        "policy_revision.html",
        409 if sheet.refusal else 200,
        frame,
        revision=sheet.revision,
        is_served=sheet.revision == sheet.served,
        served=sheet.served,
        version=None if sheet.change is None else _version(sheet.change, sheet.served),
        files=[*_files(sheet)][:_MOST_FILES],
        more=max(0, len(sheet.sources.policies) + len(sheet.sources.tools) + len(sheet.tests) - _MOST_FILES),
        problems=sheet.problems,
        opas=_instances(sheet),
        may_publish=sheet.may_publish,
        seal=sheet.seal,
        cautions=sheet.cautions,
        refusal=printable(sheet.refusal),
        most_note=MOST_NOTE,
    )


def file_page(revision: Revision, name: FileName, text: str, can_edit: bool, frame: Frame) -> Response:
    """One file of a revision, with the numbers of its lines."""
    excerpt = "" if is_binary(name.path) else text[:_MOST_TEXT]
    return page_of(
        "policy_file.html",
        200,
        frame,
        revision=revision,
        name=str(name),
        lines=[printable(line) for line in excerpt.splitlines()[:_MOST_LINES]],
        is_binary=is_binary(name.path),
        is_whole=len(excerpt) == len(text) and len(excerpt.splitlines()) <= _MOST_LINES,
        can_edit=can_edit,
    )


def changes_page(
    revision: Revision,
    former: Revision,
    sources: tuple[Sources, Sources],
    changes: Sequence[ReleaseChange] | None,
    frame: Frame,
) -> Response:
    """What a revision differs in from a former one; `changes` are None where one of the two is not valid today."""
    return page_of(
        "policy_changes.html",
        200,
        frame,
        revision=revision,
        former=former,
        is_known=changes is not None,
        **change_rows(changes or ()),
        lines=difference_lines(*sources),
    )


def tests_page(
    revision: Revision, report: TrialReport | None, untried: str, missing: bool, problems: Sequence[str], frame: Frame
) -> Response:
    """What became of a revision's tests, and how much of its documents they try; `untried` says why they were not run,
    `missing` that it is for want of an OPA.
    """
    return page_of(
        "policy_tests.html",
        503 if untried else 200,
        frame,
        revision=revision,
        report=None if report is None else report_rows(report),
        untried=printable(untried),
        is_missing=missing,
        problems=problems,
    )


def change_rows(changes: Sequence[ReleaseChange]) -> dict[str, object]:
    """Differences as rows, as many as a page holds, and how many more there are."""
    return {"changes": changes[:_MOST_CHANGES], "more_changes": max(0, len(changes) - _MOST_CHANGES)}


def difference_lines(before: Sources, after: Sources) -> list[tuple[str, str]]:
    """The texts of two revisions line by line: what a line is (`+`, `-`, `@`, a blank), and the line."""
    policies, tools = _differing(before.policies, after.policies), _differing(before.tools, after.tools)
    if sum(len(text) for texts in (*policies, *tools) for text in texts.values()) > _MOST_COMPARED:
        return [(" ", "The texts are too long to be compared line by line here; aegis policy diff does it.")]
    lines = document_difference(*policies) + document_difference(*tools)
    cut = [(line[:1] if line[:1] in "+-@" else " ", line[:_LONGEST]) for line in lines[:_MOST_LINES]]
    return [*cut, (" ", f"... and {len(lines) - _MOST_LINES} more lines")] if len(lines) > _MOST_LINES else cut


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of the files that differ."""
    paths = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    former, own = ({path: texts[path] for path in paths & texts.keys()} for texts in (before, after))
    return former, own


def report_rows(report: TrialReport) -> dict[str, object]:
    """Outcomes of tests, those that fail first, and coverage by document, as a page shows them."""
    ordered = sorted(report.outcomes, key=lambda outcome: outcome.passed)
    return {
        "passed": len(report.outcomes) - len(report.failures),
        "failed": len(report.failures),
        "tests": [
            {
                "name": printable(outcome.case.name),
                "place": printable(f"{outcome.case.path}:{outcome.case.line}"),
                "is_passed": outcome.passed,
                "sentence": "" if outcome.passed else failure_sentence(outcome),
            }
            for outcome in ordered[:_MOST_TESTS]
        ],
        "more": max(0, len(ordered) - _MOST_TESTS),
        "covered": [_coverage(coverage) for coverage in report.covered[:_MOST_FILES]],
        "percent": _percent(percent_of(report.covered)),
    }


def _coverage(coverage: Coverage) -> dict[str, object]:
    return {
        "document": printable(coverage.document),
        "rules": f"{coverage.rules_reached} of {coverage.rules}",
        "sides": f"{coverage.sides_seen} of {coverage.sides}",
        "percent": _percent(coverage.percent),
        "gaps": [printable(f"{gap.path}:{gap.line}: {gap.rule}: {gap.words}") for gap in coverage.gaps[:_MOST_GAPS]],
        "more": max(0, len(coverage.gaps) - _MOST_GAPS),
    }


def _percent(percent: float) -> str:
    """Down, so that only the whole is called 100."""
    return f"{int(percent * 10) / 10:g}%"


def _version(change: Change, served: Revision) -> dict[str, object]:
    return {
        "revision": change.revision,
        "previous": change.previous,
        "how": change.kind.value.replace("_", " "),
        "by": printable(change.by),
        "time": change.time,
        "message": printable(change.message),
        "is_served": change.revision == served,
    }


def _instances(sheet: RevisionSheet) -> list[str]:
    """The OPAs that run a revision, as many as a line holds."""
    names = [printable(state.instance) for state in sheet.opas if state.active_revision == sheet.revision]
    more = [f"{len(names) - _MOST_INSTANCES} more"] if len(names) > _MOST_INSTANCES else []
    return [*names[:_MOST_INSTANCES], *more]


def _opa(state: OpaState, served: Revision) -> dict[str, object]:
    return {
        "instance": printable(state.instance),
        "version": printable(state.version),
        "revision": printable(state.active_revision),
        "trouble": printable(state.trouble),
        "is_current": state.active_revision == served,
    }


def _proposal(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "by": printable(proposal.by),
        "time": proposal.at,
        "message": printable(proposal.message),
    }


def _files(sheet: RevisionSheet) -> Iterator[dict[str, object]]:
    titles: dict[str, list[str]] = {}
    if sheet.reading is not None:
        for policy in sheet.reading.loaded.loaded_policies:
            title, mode = policy.document.title, " (shadow)" if policy.document.mode == "shadow" else ""
            titles.setdefault(policy.source.path, []).append(printable(f"{title}{mode}"))
    folders = zip(Folder, (sheet.sources.policies, sheet.sources.tools, sheet.tests), strict=True)
    for folder, texts in folders:
        for path in sorted(texts):
            documents = titles.get(path, []) if folder is Folder.POLICIES else []
            more = [f"and {len(documents) - _MOST_TITLES} more"] if len(documents) > _MOST_TITLES else []
            yield {
                "name": str(FileName(folder, path)),
                "folder": folder.value,
                "documents": [*documents[:_MOST_TITLES], *more],
                "size": len(texts[path]),
            }
