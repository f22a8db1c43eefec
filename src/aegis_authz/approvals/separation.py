"""That several approvals are of several people: whom one person let in are one, until somebody else confirms them."""

from __future__ import annotations

from aegis_authz.core.approval import ApprovalForbidden, ApprovalRequest
from aegis_authz.core.person import Person
from aegis_authz.core.sponsors import answerable
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.control_plane import SingleUses
from aegis_authz.ports.people import PeopleStore

_KIND = "approver"
_MARGIN = Seconds(60.0)


class Separation:
    """Lets one person approve a call for each who answers for people, whichever control plane is asked first."""

    def __init__(self, people: PeopleStore, uses: SingleUses) -> None:
        self._people = people
        self._uses = uses

    async def require(self, request: ApprovalRequest, person: Person, now: Epoch) -> None:
        """Refuse a person in whose hands, or in the same hands as whom, is another who approves this call.

        Raises ApprovalForbidden, StoreDown, DatabaseFault.
        """
        if request.approvals < 2:
            return
        hands = answerable(await self._people.sponsors(), person.id)
        life = Seconds(max(0.0, request.expires_at - now) + _MARGIN)
        for hand in sorted(hands):
            # claimed in the store, so that two who approve at once are told apart as two in turn are
            first = await self._uses.claim(_KIND, f"{request.id} {hand}", life, person.id)
            if first != person.id:
                raise ApprovalForbidden(
                    f"approval {request.id} takes {request.approvals} people, and {hand} answers for {first} and for "
                    f"{person.id}: somebody else must confirm them first (aegis people confirm)"
                )
