"""Everything the control plane's doors lead to."""

from __future__ import annotations

from dataclasses import dataclass, field

from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.bulletin import Bulletin
from aegis_authz.control.publishing import Publisher
from aegis_authz.control.status_board import StatusBoard


@dataclass(frozen=True, slots=True)
class ControlServices:
    """What `create_app` serves.

    `admin_token` opens the admin doors and `opa_token` the two of OPA, neither the other's.
    `token_jwks` are the public keys agent tokens are verified with.
    """

    publisher: Publisher
    approver: Approver
    bulletin: Bulletin
    board: StatusBoard
    token_jwks: tuple[dict[str, str], ...]
    admin_token: str = field(repr=False)
    opa_token: str = field(repr=False)
