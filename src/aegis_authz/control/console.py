"""The pages of the console on which policies are read, tried and published, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from aegis_authz.control.routes.playground_pages import playground_page_routes
from aegis_authz.control.routes.policy_edit_pages import policy_edit_page_routes
from aegis_authz.control.routes.policy_ground import PolicyGround
from aegis_authz.control.routes.policy_pages import policy_page_routes
from aegis_authz.control.routes.proposal_pages import proposal_page_routes

if TYPE_CHECKING:
    from aegis_authz.control.app import ControlServices


def policy_console(services: ControlServices) -> list[APIRouter]:
    """`/policies` and `/playground`. A page with a name of its own comes before those that have a revision there."""
    authentication = services.authentication
    ground = PolicyGround(
        services.policies, services.publisher, services.board, services.bulletin, services.outreach.pages
    )
    return [
        *policy_edit_page_routes(ground, authentication),
        *proposal_page_routes(ground, authentication),
        *policy_page_routes(ground, authentication),
        *playground_page_routes(ground, authentication, services.people.door.now),
    ]
