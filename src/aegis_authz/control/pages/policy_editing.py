"""The pages on which documents are edited and published, and what somebody proposed is confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.policies import change_rows, difference_lines, report_rows
from aegis_authz.control.pages.templates import page_of
from aegis_authz.control.policies.editing import FileName, Review
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.proposal import Proposal, ProposalState
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.lab.trial_report import TrialReport
from aegis_authz.policy.release_changes import ReleaseChange
from aegis_authz.policy.source.problems import printable

FIELD = "file "
"""Before the names of the fields in which files are edited."""
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class EditSheet:
    """Files of a revision as they are edited, and what is known of them; `refusal` says why they were not published."""

    base: Revision
    texts: Mapping[FileName, str]
    seal: str
    message: str = ""
    review: Review | None = None
    problems: Sequence[str] = ()
    refusal: str = ""


def edit_page(sheet: EditSheet, frame: Frame) -> Response:
    """The page; 409 with a refusal."""
    review = sheet.review
    return page_of(
        "policy_edit.html",
        409 if sheet.refusal else 200,
        frame,
        base=sheet.base,
        files=[
            {"field": f"{FIELD}{name}", "name": str(name), "text": text, "rows": min(40, text.count("\n") + 4)}
            for name, text in sheet.texts.items()
        ],
        seal=sheet.seal,
        message=sheet.message,
        refusal=printable(sheet.refusal),
        problems=sheet.problems,
        review=None if review is None or review.problems else _review(review),
        most_note=MOST_NOTE,
    )


def _review(review: Review) -> dict[str, object]:
    return {
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "place": printable(f"{finding.problem.path}:{finding.problem.line}"),
                "message": printable(finding.problem.message),
            }
            for finding in review.findings[:_MOST_FINDINGS]
        ],
        "more_findings": max(0, len(review.findings) - _MOST_FINDINGS),
        "errors": sum(finding.severity == "error" for finding in review.findings),
        **change_rows(review.changes),
        "report": None if review.report is None else report_rows(review.report),
        "untried": printable(review.untried),
        "is_missing": review.is_without_opa,
        "is_failing": _fails(review.report),
    }


def _fails(report: TrialReport | None) -> bool:
    return report is not None and bool(report.failures)


@dataclass(frozen=True, slots=True)
class ProposalSheet:
    """A proposal beside the documents it would be served in place of; `changes` are None where they are not known."""

    proposal: Proposal
    before: Sources
    changes: Sequence[ReleaseChange] | None
    may_publish: bool
    seal: str
    refusal: str = ""


def proposal_page(sheet: ProposalSheet, frame: Frame) -> Response:
    """The page; 409 with a refusal."""
    proposal = sheet.proposal
    return page_of(
        "policy_proposal.html",
        409 if sheet.refusal else 200,
        frame,
        id=proposal.id,
        by=printable(proposal.by),
        time=proposal.at,
        how=proposal.kind.value.replace("_", " "),
        message=printable(proposal.message),
        base=proposal.base,
        digest=proposal.digest,
        state=proposal.state.value,
        decided_by=printable(proposal.decided_by),
        is_waiting=proposal.state is ProposalState.WAITING,
        is_known=sheet.changes is not None,
        **change_rows(sheet.changes or ()),
        lines=difference_lines(sheet.before, proposal.sources),
        may_publish=sheet.may_publish,
        seal=sheet.seal,
        refusal=printable(sheet.refusal),
        most_note=MOST_NOTE,
    )
