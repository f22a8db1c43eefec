"""The pages of the console on which records are read, put together."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from aegis_authz.control.gate import Authentication
from aegis_authz.control.live import Streams
from aegis_authz.control.pages import Pages
from aegis_authz.control.records.services import RecordServices
from aegis_authz.control.routes.audit_pages import audit_page_routes
from aegis_authz.control.routes.decision_pages import decision_page_routes
from aegis_authz.core.units import Epoch


def record_console(
    records: RecordServices,
    streams: Streams,
    authentication: Authentication,
    pages: Pages,
    now: Callable[[], Epoch],
) -> list[APIRouter]:
    """`/decisions` and `/audit`."""
    return [
        *decision_page_routes(records.desk, records.live, streams, authentication),
        *audit_page_routes(records, streams, authentication, pages, now),
    ]
