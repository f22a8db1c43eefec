"""Which revision is served, and waiting for the next one (the far end of OPA's long poll)."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.policies.notice import Notice
from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.basis import Bases, judging_basis
from aegis_authz.core.units import Revision


@dataclass(frozen=True, slots=True)
class Live:
    """The revision served, its signed bundle, and who is registered in it.

    `bases` are the digests of what it judges by, None where they are not known. `signer` is the thumbprint of the key
    that signed the bundle, where it was signed here; else a name of these bytes, "" for none.
    """

    revision: Revision
    bundle: bytes
    directory: Directory
    bases: Bases | None
    signer: str

    @property
    def etag(self) -> str:
        """The name of these bytes: another signature makes others of the same revision."""
        return f"{self.revision}.{self.signer}" if self.signer else self.revision


class Bulletin(Notice[Live]):
    """Holds what is served; whoever waits for news is woken by it."""

    @property
    def live(self) -> Live | None:
        """What is served, None before the first release."""
        return self.current

    def is_stale(self, request: ApprovalRequest) -> bool:
        """Whether what judges that call is known to be another now than when it was held."""
        bases = None if self.live is None else self.live.bases
        return bases is not None and bases.of(request.scope, request.tool) != judging_basis(request.basis)
