"""The control plane as one application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aegis_authz.api.enrolment import MeshPlace
from aegis_authz.api.tokens import TokenRefusal
from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.expiring import ExpiryWatch
from aegis_authz.approvals.standing_decision import NotStanding
from aegis_authz.control.agents.enrolling import Enroller, NotEnrolled
from aegis_authz.control.agents.issuing import TokenIssuer, TokenTerms
from aegis_authz.control.agents.revoking import NotRevoked, Revoker
from aegis_authz.control.agents.roster import Roster
from aegis_authz.control.alerting import Alerter
from aegis_authz.control.approvals.access_requests import AccessRequestDesk
from aegis_authz.control.approvals.callbacks import CallbackCourier
from aegis_authz.control.approvals.deciding_on_record import Deciding
from aegis_authz.control.approvals.overseeing import Overseer
from aegis_authz.control.approvals.pressing import SlackPresses
from aegis_authz.control.console import policy_console
from aegis_authz.control.gate import Authentication
from aegis_authz.control.http import (
    Failures,
    HeadAsGet,
    HttpProblem,
    SecurityHeaders,
    on_http_problem,
    problem_response,
)
from aegis_authz.control.keys.rotating import NotRotated, Rotator
from aegis_authz.control.keys.trusted_keys import TrustedKeys
from aegis_authz.control.live import Streams
from aegis_authz.control.pages import Pages, ProblemPages
from aegis_authz.control.people.appointing import Appointer, NotAppointed
from aegis_authz.control.people.federation import FederatedSignIn, NotAdmitted
from aegis_authz.control.people.signing_in import NotSignedIn, SignInSlowed
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.policies.discovery import Discovery
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.control.policies.services import PolicyServices
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.control.policies.trials import NotTried
from aegis_authz.control.policies.turns import TurnMissed
from aegis_authz.control.records.services import RecordServices
from aegis_authz.control.routes.access_requests import access_request_routes
from aegis_authz.control.routes.agent_pages import AgentServices, agent_page_routes
from aegis_authz.control.routes.agents import agent_routes
from aegis_authz.control.routes.approval_batches import approval_batch_routes
from aegis_authz.control.routes.approval_pages import approval_page_routes
from aegis_authz.control.routes.approvals import approval_routes
from aegis_authz.control.routes.changes import change_routes
from aegis_authz.control.routes.command_login import command_login_routes
from aegis_authz.control.routes.console import console_routes
from aegis_authz.control.routes.dashboard_pages import Dashboards, dashboard_page_routes
from aegis_authz.control.routes.enrolment import enrolment_routes
from aegis_authz.control.routes.keys import key_routes
from aegis_authz.control.routes.limits import limit_routes
from aegis_authz.control.routes.metrics import metrics_routes
from aegis_authz.control.routes.notices import notice_routes
from aegis_authz.control.routes.opa import opa_routes
from aegis_authz.control.routes.open import open_routes
from aegis_authz.control.routes.openid import openid_routes
from aegis_authz.control.routes.oversight import oversight_routes
from aegis_authz.control.routes.people import person_routes
from aegis_authz.control.routes.people_pages import people_page_routes
from aegis_authz.control.routes.policies import policy_routes
from aegis_authz.control.routes.proposals import proposal_routes
from aegis_authz.control.routes.record_console import record_console
from aegis_authz.control.routes.records import record_routes
from aegis_authz.control.routes.sessions import SignInDoor, session_routes
from aegis_authz.control.routes.sign_in_links import sign_in_link_routes
from aegis_authz.control.routes.slack import slack_routes
from aegis_authz.control.routes.spend import spend_routes
from aegis_authz.control.routes.spend_pages import spend_page_routes
from aegis_authz.control.routes.standing_decisions import standing_decision_routes
from aegis_authz.control.routes.standing_pages import standing_page_routes
from aegis_authz.control.routes.tokens import token_routes
from aegis_authz.control.spend.limit_accounts import LimitBook
from aegis_authz.control.spend.limiting import LimitKeeper, NotQuarantined
from aegis_authz.control.spend.spend_reading import Spend, SpendReader
from aegis_authz.core.approval import ApprovalConflict, ApprovalForbidden, ApprovalNotFound
from aegis_authz.core.certificate_life import CertificateLife
from aegis_authz.core.proposal import ProposalConflict, ProposalForbidden, ProposalUnknown, ProposalWaits
from aegis_authz.core.release import ReleaseConflict, ReleasesFault, RevisionUnknown
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.intercept.authority import MeshAuthorities
from aegis_authz.notices.delivery import Courier
from aegis_authz.people.passwords import WeakPassword
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.change_log import ChangeLog
from aegis_authz.ports.control_plane import EnrolmentsFault, RevocationListFault
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.key_rings import KeyRingFault, KeyServiceDown
from aegis_authz.ports.openid import ProviderUnavailable
from aegis_authz.ports.people import PersonConflict, PersonUnknown

_log = logging.getLogger(__name__)
_DOMAIN_FAULTS = (
    PolicyErrors,
    RevisionUnknown,
    ReleaseConflict,
    NotTried,
    TurnMissed,
    ProposalUnknown,
    ProposalConflict,
    ProposalForbidden,
    ProposalWaits,
    ApprovalNotFound,
    ApprovalConflict,
    ApprovalForbidden,
    NotRevoked,
    NotQuarantined,
    NotEnrolled,
    EnrolmentsFault,
    RevocationListFault,
    KeyRingFault,
    NotRotated,
    NotStanding,
    StoreDown,
    ReleasesFault,
    DatabaseFault,
    NotSignedIn,
    SignInSlowed,
    WeakPassword,
    NotAppointed,
    NotAdmitted,
    ProviderUnavailable,
    PersonConflict,
    PersonUnknown,
)


@dataclass(frozen=True, slots=True)
class PeopleServices:
    """How people sign in, here and elsewhere (`federation`, None for nowhere), who appoints them, and what they did."""

    door: SignInDoor
    federation: FederatedSignIn | None
    appointer: Appointer
    changes: ChangeLog


class Watch(Protocol):
    """What runs beside the routes."""

    async def watch(self) -> None:
        """Run until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Outreach:
    """How people meet held calls: `pages` are what they read in a browser; `courier` tells them, and `presses` takes
    what they press in Slack, which comes over the `socket` with Socket Mode, None where no such channel is set up.
    `callbacks` tells enforcement points what became of their access requests, None where none may name a place.
    `alerter` finds refusals that somebody wants to learn of, None where nobody can be told.
    """

    pages: Pages
    courier: Courier | None
    presses: SlackPresses | None
    socket: Watch | None
    callbacks: CallbackCourier | None
    alerter: Alerter | None


@dataclass(frozen=True, slots=True)
class ControlServices:
    """What `create_app` serves.

    `authentication` tells who asks, and `opa_token` opens the routes of OPA; it is no person's. `directory` is who is
    registered by now, and `mesh` where enrolled agents send calls. `keeper` keeps a proxy's routes, None for none;
    `expiry` records what ran out. `certificates` says how long those hold that are served or used. `token_jwks` are the
    public keys agent tokens are verified with; `authorities` are the mesh's certificate authorities, None where it has
    none to tell of; `dashboards` are seen where there is a Prometheus.
    """

    publisher: Publisher
    policies: PolicyServices
    approver: Approver
    deciding: Deciding
    access_requests: AccessRequestDesk
    overseer: Overseer
    registry: CollectorRegistry
    bulletin: Bulletin
    discovery: Discovery
    board: StatusBoard
    revoker: Revoker
    issuer: TokenIssuer
    terms: TokenTerms
    enroller: Enroller
    directory: Callable[[], Directory]
    mesh: MeshPlace
    trusted_keys: TrustedKeys
    keeper: RouteKeeper | None
    expiry: ExpiryWatch
    limits: LimitKeeper
    limit_book: LimitBook
    roster: Roster
    spend: Spend
    records: RecordServices
    rotator: Rotator
    certificates: Callable[[], Mapping[str, CertificateLife | None]]
    token_jwks: Callable[[], Sequence[Mapping[str, str]]]
    authorities: Callable[[], MeshAuthorities] | None
    authentication: Authentication
    people: PeopleServices
    outreach: Outreach
    opa_token: str = field(repr=False)
    dashboards: Dashboards | None = None


def create_app(services: ControlServices) -> FastAPI:
    """All routes: OPA's, the security engineer's, the approver's, and those open to everyone."""
    app = FastAPI(
        # The API's document is in docs/api; a control plane serves neither it nor pages made of it.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        middleware=[Middleware(each) for each in (SecurityHeaders, ProblemPages, Failures, HeadAsGet)],
        exception_handlers={
            HttpProblem: on_http_problem,
            HTTPException: on_http_problem,
            RequestValidationError: on_http_problem,
            **dict.fromkeys(_DOMAIN_FAULTS, _on_domain_fault),
            NotIssued: _on_not_issued,
            Exception: on_http_problem,
        },
    )
    app.state.streams = Streams()
    for router in _routers(services, app.state.streams):
        app.include_router(router)
    return app


def _routers(services: ControlServices, streams: Streams) -> list[APIRouter]:
    """All routers. A page with a name of its own comes before those that have an id in its place."""
    authentication, pages, door = services.authentication, services.outreach.pages, services.people.door
    spend = SpendReader(services.spend, services.limit_book.clock)
    return [
        *opa_routes(services.board, services.bulletin, services.discovery, services.opa_token),
        *policy_routes(
            services.policies.releases,
            services.publisher,
            services.board,
            services.bulletin,
            services.keeper,
            authentication,
        ),
        *proposal_routes(services.policies.proposals, services.policies.releases, authentication),
        *approval_routes(services.approver, services.deciding, authentication),
        *access_request_routes(services.access_requests, authentication),
        *console_routes(authentication),
        *policy_console(services),
        *command_login_routes(authentication, pages, door),
        *sign_in_link_routes(pages, door),
        *openid_routes(services.people.federation, pages, door),
        *oversight_routes(services.overseer, authentication),
        *_measured(services),
        *approval_batch_routes(services.approver, services.deciding, authentication, pages),
        *approval_page_routes(services.approver, services.deciding, authentication, pages, door, streams),
        *standing_decision_routes(services.policies.standing, services.board, services.approver, authentication),
        *standing_page_routes(services.policies.standing, services.board, services.approver, authentication, pages),
        *slack_routes(services.outreach.presses),
        *notice_routes(services.outreach.courier, services.outreach.callbacks, authentication),
        *limit_routes(services.limits, services.limit_book, authentication),
        *spend_routes(spend, authentication),
        *spend_page_routes(spend, services.limit_book, authentication),
        *dashboard_page_routes(services.dashboards, services.limit_book.clock, authentication),
        *record_routes(services.records.desk, services.records.verifier, authentication),
        *record_console(services.records, streams, authentication, pages, door.now),
        *agent_routes(services.revoker, authentication),
        *agent_page_routes(_agent_services(services), authentication, pages),
        *token_routes(services.issuer),
        *enrolment_routes(
            services.enroller,
            services.directory,
            services.terms,
            services.mesh,
            services.authorities,
            authentication,
        ),
        *key_routes(services.rotator, authentication),
        *session_routes(door, authentication),
        *person_routes(services.people.appointer, authentication, pages),
        *people_page_routes(services.people.appointer, authentication, pages),
        *change_routes(services.people.changes, authentication),
        *open_routes(services.bulletin, services.keeper, services.revoker, services.token_jwks, services.authorities),
    ]


def _measured(services: ControlServices) -> list[APIRouter]:
    parts = (services.overseer, services.approver, services.rotator, services.records.reconciler, services.records.live)
    return metrics_routes(*parts, services.registry, services.certificates, services.authentication)


def _agent_services(services: ControlServices) -> AgentServices:
    return AgentServices(services.roster, services.revoker, services.limits, services.limit_book)


def _operation_id(route: APIRoute) -> str:
    return route.name


async def _on_not_issued(_: Request, fault: Exception) -> Response:
    refused = fault if isinstance(fault, NotIssued) else NotIssued(Denial.UNAVAILABLE)
    denial = refused.denial
    refusal = TokenRefusal(error=denial.error, error_description=refused.description)
    headers = {"pragma": "no-cache", **({"retry-after": "1"} if denial is Denial.RATE else {})}
    return JSONResponse(refusal.model_dump(mode="json"), denial.status, headers)


async def _on_domain_fault(request: Request, fault: Exception) -> Response:
    return problem_response(_problem_of(request, fault))


def _problem_of(request: Request, fault: Exception) -> HttpProblem:
    match fault:
        case PolicyErrors():
            count = len(fault.problems)
            detail = f"{count} problem{'s' if count != 1 else ''}; what was served before stays"
            return HttpProblem(422, detail, problems=fault.problems)
        case NotTried():
            return HttpProblem(fault.status, str(fault), retry_after=fault.retry_after)
        case TurnMissed():
            return HttpProblem(503, "others wait for the same at this moment; try again", retry_after=5.0)
        case RevisionUnknown():
            return HttpProblem(404, "no such revision was published here")
        case ApprovalNotFound():
            return HttpProblem(404, "there is no such approval, or its time is long over")
        case ApprovalForbidden():
            return HttpProblem(403, str(fault))
        case NotRotated() | NotStanding():
            return HttpProblem(409, str(fault))
        case NotEnrolled():
            return HttpProblem(fault.status, str(fault))
        case KeyServiceDown():
            _log.error("%s %s: %s", request.method, request.url.path, fault)
            return HttpProblem(503, "the key service signs nothing now; try again")
        case ProposalUnknown():
            return HttpProblem(404, "there is no such proposal")
        case ProposalForbidden():
            return HttpProblem(403, str(fault))
        case (
            ApprovalConflict()
            | ReleaseConflict()
            | ProposalConflict()
            | ProposalWaits()
            | NotRevoked()
            | NotQuarantined()
            | PersonConflict()
        ):
            return HttpProblem(409, str(fault))
        case NotSignedIn():
            return HttpProblem(401, "nobody signs in so: the person, the password or the code is another")
        case SignInSlowed():
            return HttpProblem(429, str(fault), retry_after=fault.wait)
        case WeakPassword():
            return HttpProblem(400, f"password: {fault}")
        case NotAppointed() | NotAdmitted():
            return HttpProblem(403, str(fault))
        case ProviderUnavailable():
            _log.error("%s %s: %s", request.method, request.url.path, fault)
            return HttpProblem(503, "your identity provider cannot be asked now; try again, or sign in by a password")
        case PersonUnknown():
            return HttpProblem(404, "there is no such person")
        case _:
            _log.error("%s %s: %s", request.method, request.url.path, fault)
            return HttpProblem(503, "the store behind the control plane cannot be used now; its log says more")
