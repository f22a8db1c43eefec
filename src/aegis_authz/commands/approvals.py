"""Held calls of a mesh: see them, decide them. Every function raises Unable and Rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aegis_authz.adapters.records import oversight
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.api.approvals import ApprovalAnswer, ApprovalsAnswer, ApprovedAnswer
from aegis_authz.api.notices import ChannelsAnswer, UndeliveredAnswer
from aegis_authz.api.oversight import OversightAnswer
from aegis_authz.api.standing_decisions import DraftAnswer, StandingChangeAnswer, StandingDecisionsAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import unable_on
from aegis_authz.evidence.oversight import Figures, Grouping

_MOST_PAGES = 50
_PAGE = 200


def list_approvals(state: Path, standing: str, limit: int, after: str) -> ApprovalsAnswer:
    """A page of approvals of the mesh in this folder that stand so, "" for all; pages with none are passed over."""
    with control_plane(state) as control:
        page = control.approvals(standing, limit, after)
        for _ in range(_MOST_PAGES):
            if page.approvals or page.unreadable or not page.after:
                break
            page = control.approvals(standing, limit, page.after)
        return page


def get_approval(state: Path, approval_id: str) -> ApprovalAnswer:
    """One approval."""
    with control_plane(state) as control:
        return control.approval(approval_id)


def approve(state: Path, approval_id: str, note: str, confirm: Mapping[str, str]) -> ApprovedAnswer:
    """Approve a held call; the answer holds its override token. `confirm` are the values that must be typed."""
    with control_plane(state) as control:
        return control.approve(approval_id, note, confirm)


def cancel(state: Path, approval_id: str, note: str) -> ApprovalAnswer:
    """Take an approval back that is pending, or granted and not used."""
    with control_plane(state) as control:
        return control.cancel(approval_id, note)


def deny(state: Path, approval_id: str, note: str) -> ApprovalAnswer:
    """Deny a held call, for a reason."""
    with control_plane(state) as control:
        return control.deny(approval_id, note)


def watch_approvals(state: Path, wait: Callable[[], None]) -> Iterator[ApprovalAnswer]:
    """What waits for somebody, and what comes to wait; `wait` is called between two looks. Never ends by itself."""
    known: set[str] = set()
    with control_plane(state) as control:
        while True:
            waiting, after = list[ApprovalAnswer](), ""
            for _ in range(_MOST_PAGES):
                page = control.approvals("pending", _PAGE, after)
                waiting += page.approvals
                after = page.after
                if not after:
                    break
            for approval in sorted(waiting, key=lambda approval: approval.requested_at):
                if approval.id not in known:
                    yield approval
            known = {approval.id for approval in waiting}
            wait()


def draft_standing(state: Path, approval_id: str, effect: str, days: int, for_session: bool) -> DraftAnswer:
    """A document that allows, or refuses, calls like that one, or those of its session alone."""
    with control_plane(state) as control:
        return control.draft_standing(approval_id, effect, days, for_session)


def save_standing(state: Path, approval_id: str, effect: str, document: str, message: str) -> StandingChangeAnswer:
    """Publish such a document."""
    with control_plane(state) as control:
        return control.save_standing(approval_id, effect, document, message)


def standing_decisions(state: Path) -> StandingDecisionsAnswer:
    """All standing decisions that who asks may see."""
    with control_plane(state) as control:
        return control.standing_decisions()


def revoke_standing(state: Path, name: str, message: str) -> StandingChangeAnswer:
    """Take a standing decision back."""
    with control_plane(state) as control:
        return control.revoke_standing(name, message)


def oversight_of(state: Path, by: str, days: float) -> OversightAnswer:
    """How people decided held calls in the last so many days, as the control plane's history has it."""
    with control_plane(state) as control:
        return control.oversight(by, days)


def channels_of(state: Path) -> ChannelsAnswer:
    """How each channel does by which people learn of held calls."""
    with control_plane(state) as control:
        return control.channels()


def dead_channels(state: Path) -> list[str]:
    """The channels whose last message did not arrive, each with the reason."""
    return [f"{channel.kind}: {channel.trouble}" for channel in channels_of(state).channels if channel.failures]


def undelivered_notices(state: Path) -> UndeliveredAnswer:
    """The notices of held calls that reached nobody."""
    with control_plane(state) as control:
        return control.undelivered_notices()


def read_grouping(name: str) -> Grouping:
    """What figures are grouped by. Raises ValueError for another word."""
    try:
        return Grouping(name)
    except ValueError:
        names = ", ".join(grouping.value for grouping in Grouping)
        raise ValueError(f"figures are by {names}, not by {name!r}") from None


@unable_on(NoRecords, OSError)
def recorded_oversight(folder: Path, by: Grouping, since: float) -> list[Figures]:
    """How people decided, from all logs of `folder`, without verifying. Raises Unable."""
    return oversight.recorded_oversight(folder, by, since)
