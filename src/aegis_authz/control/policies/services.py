"""What the pages and routes of policies stand on, together."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.control.approvals.standing_decisions import StandingDesk
from aegis_authz.control.policies.editing import Editor
from aegis_authz.control.policies.laboratory import Laboratory
from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.readings import Readings
from aegis_authz.control.policies.releasing import ReleaseDesk


@dataclass(frozen=True, slots=True)
class PolicyServices:
    """`releases` and `standing` change what is served, and `proposals` wait for it; with the others documents are read,
    tried and edited, and nothing changes.
    """

    releases: ReleaseDesk
    proposals: ProposalDesk
    standing: StandingDesk
    readings: Readings
    laboratory: Laboratory
    editor: Editor
