"""Publications that wait for a second person."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.core.units import Epoch, Revision


class ProposalState(Enum):
    """Where a proposal stands."""

    WAITING = "waiting"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Proposal:
    """Documents that somebody wants to be served in place of those of `base`; all of them, as `kind` of change.

    `decided_by` is who confirmed or withdrew it, "" while it waits; `tests` are the policy tests that came along.
    """

    id: str
    base: Revision
    sources: Sources
    kind: ChangeKind
    by: str
    at: Epoch
    message: str
    state: ProposalState
    decided_by: str
    tests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What names exactly these documents and tests in place of that base: whoever confirms says it."""
        documents = [dict(self.sources.policies), dict(self.sources.tools), dict(self.tests)]
        members = [self.base, self.kind.value, *documents]
        return hashlib.sha256(json.dumps(members, sort_keys=True).encode("ascii")).hexdigest()


class ProposalUnknown(Exception):
    """There is no such proposal."""


class ProposalConflict(Exception):
    """The proposal cannot make this step; the message says why in words for a person."""


class ProposalForbidden(Exception):
    """This person may not confirm it; the message says why in words for a person."""


class ProposalWaits(Exception):
    """What was to be published waits for a second person, and what was served stays."""

    def __init__(self, proposal: Proposal) -> None:
        super().__init__(f"proposal {proposal.id} waits until another person confirms it; what was served stays")
        self.proposal = proposal
