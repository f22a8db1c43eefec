"""The control plane, put together and run until it is told to stop."""

from __future__ import annotations

from collections.abc import Collection

from aegis_authz.adapters.key_folder import Keys
from aegis_authz.config import ControlSettings
from aegis_authz.control.approving import Approver
from aegis_authz.control.building import PolicyBuilder
from aegis_authz.control.bulletin import Bulletin
from aegis_authz.control.ports import Releases
from aegis_authz.control.publishing import Publisher
from aegis_authz.control.services import ControlServices
from aegis_authz.control.status_board import StatusBoard
from aegis_authz.control.trust import public_jwks, trust_data
from aegis_authz.ports import Approvals, Clock, Ids


def policy_builder(settings: ControlSettings, keys: Keys, detectors: Collection[str] | None) -> PolicyBuilder:
    """What turns documents into signed bundles under these keys and settings."""
    trust = trust_data(settings, [keys.issuer.public_key()], [keys.approvals.public_key()])
    return PolicyBuilder(keys.bundle, trust, settings.public_url.rstrip("/"), detectors)


def control_services(
    settings: ControlSettings,
    keys: Keys,
    releases: Releases,
    approvals: Approvals,
    clock: Clock,
    ids: Ids,
    detectors: Collection[str] | None,
) -> ControlServices:
    """The control plane's services on these ports; nothing is served before `publisher.start`."""
    bulletin = Bulletin()
    return ControlServices(
        publisher=Publisher(releases, policy_builder(settings, keys, detectors), bulletin, clock),
        approver=Approver(approvals, keys.approvals, settings.issuer, settings.audience, clock, ids),
        bulletin=bulletin,
        board=StatusBoard(clock),
        token_jwks=tuple(public_jwks([keys.issuer.public_key()])),
        admin_token=keys.admin_token,
        opa_token=keys.opa_token,
    )
