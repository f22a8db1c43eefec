"""How a template becomes a page, and the policy of content that each page is under."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from aegis_authz.control.pages.assets import asset_url
from aegis_authz.control.pages.frame import NOBODY, Frame
from aegis_authz.notices.words import moment

_OPEN = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SIGNED_IN = f"{_OPEN}; script-src 'self'; connect-src 'self'"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def address(path: str, query: Mapping[str, object]) -> str:
    """The path with those members of a query that say something: how a list keeps its filter in its address."""
    words = urlencode({name: str(value) for name, value in query.items() if value not in ("", None)})
    return f"{path}?{words}" if words else path


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("aegis_authz.control", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(iso=_iso, moment=moment)
    environment.globals.update(asset=asset_url, address=address)
    return environment


_templates = _environment()


def page_of(template: str, status: int, frame: Frame = NOBODY, **content: object) -> Response:
    """A page. Whoever is signed in gets the scripts of this server with it, and nobody gets any other."""
    text = _templates.get_template(template).render(frame=frame, **content)
    headers = {
        "content-security-policy": _SIGNED_IN if frame.reader else _OPEN,
        # with no-referrer browsers write `Origin: null` on our own forms (Fetch, "append a request Origin header")
        "referrer-policy": "same-origin",
    }
    return Response(text, status, headers, "text/html; charset=utf-8")


def fragment_of(template: str, **content: object) -> str:
    """A part of a page, as live updates send it: the template includes no frame."""
    return _templates.get_template(template).render(**content)
