"""Where a control plane keeps what it is responsible for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.control.people.signing_in import PeopleStores
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.control_plane import (
    Enrolments,
    FirstStart,
    Journal,
    KeySets,
    LimitAccounts,
    LimitMemory,
    Quarantines,
    Releases,
    RevocationList,
    Revocations,
    SingleUses,
    TokenReviews,
)
from aegis_authz.ports.data_plane import Approvals, RecordLog
from aegis_authz.ports.key_rings import BundleKeyRing, KeyRing, Rotatable
from aegis_authz.ports.openid import OpenIdProvider
from aegis_authz.ports.proposals import Proposals


@dataclass(frozen=True, slots=True)
class LimitStores:
    """Where limits and quarantines are kept, and whether that was ever begun."""

    memory: LimitMemory
    quarantines: Quarantines
    first: FirstStart
    accounts: LimitAccounts


@dataclass(frozen=True, slots=True)
class ControlStores:
    """Where a control plane keeps what it is responsible for; `openid` is where its people sign in, None for here."""

    releases: Releases
    approvals: Approvals
    records: RecordLog
    revocations: Revocations
    uses: SingleUses
    journal: Journal
    enrolments: Enrolments
    key_sets: KeySets
    reviews: TokenReviews
    revoked: RevocationList
    rings: Mapping[str, KeyRing]
    bundle_ring: BundleKeyRing
    record_ring: Rotatable
    limits: LimitStores
    people: PeopleStores
    history: ApprovalHistory
    proposals: Proposals
    openid: OpenIdProvider | None
