"""Decisions about held calls in the change log: a line before each, and another where it was not made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Domain, Person
from aegis_authz.policy.source.problems import printable

Note = Callable[[Person, str, str, str, str], Awaitable[None]]
"""Writes who does what (`noun:verb`), to what, where and why. Raises DatabaseFault."""

Result = TypeVar("Result")


async def on_record(
    note: Note,
    person: Person,
    verb: str,
    request: ApprovalRequest,
    reason: str,
    decide: Callable[[], Awaitable[Result]],
) -> Result:
    """Decide once it is a line of the change log of the call's tenant. Raises DatabaseFault, and what `decide` does."""
    action, domain = f"approvals:{verb}", str(Domain.of(request.scope))
    await note(person, action, request.id, domain, printable(reason)[:MOST_NOTE])
    is_done = False
    try:
        result = await decide()
        is_done = True
        return result
    finally:
        if not is_done:
            await note(person, action, request.id, domain, "this was not done")
