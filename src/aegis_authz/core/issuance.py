"""What is recorded of a token that was issued, or refused."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.units import Epoch


@dataclass(frozen=True, slots=True)
class Issuance:
    """One line of the journal; never the token. What is not known is "" or None.

    `grant` is the OAuth grant type and `source` the address it came from. `key_id` is the thumbprint of the key the
    agent asked with, `bound_to` of the key its token is bound to. `subject` says whose token was exchanged: the name of
    the trust, the subject and the token's id. `granted` are the ids of its grants, the widest first, with `/` between
    them. `error` and `detail` say why none was issued.
    """

    time: Epoch
    grant: str
    source: str
    agent: str
    key_id: str
    bound_to: str
    jti: str
    expires_at: Epoch | None
    subject: str
    on_behalf_of: str
    granted: str
    error: str
    detail: str
