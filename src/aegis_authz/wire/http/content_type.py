"""The media type a body is judged as, which is the one its tool must see."""

from __future__ import annotations

import re

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall

JSON_TYPE = "application/json"
_OTHER_JSON = re.compile(r"application/(?!x-www-form)[a-z0-9][a-z0-9.!#$&^_-]*\+json\Z")
"""RFC 6838, sections 4.2 and 4.2.8. Servers tell forms by how a type begins: none of those is let through as JSON."""
_UTF8 = ("charset=utf-8", "charset=utf8")


def judged_type(http: HttpCall) -> str:
    """The content type the tool must see for a body that was judged as JSON. Raises what `plain_type` raises."""
    declared = plain_type(http)
    # A tool that parsed a form where we parsed JSON would see other parameters: it gets what was judged.
    return declared if _OTHER_JSON.match(declared) else JSON_TYPE


def plain_type(http: HttpCall) -> str:
    """The one media type a body is declared as, in lower case and without parameters; "" for none.

    Raises Refused(MALFORMED_CALL) for a charset other than UTF-8, under which the tool would read other text, and
    Refused(AMBIGUOUS_HEADERS) for several types: Envoy joins what was sent twice by a comma, which no media type holds.
    """
    value = http.header("content-type")
    if value is None:
        return ""
    if "," in value:
        problem = "The header content-type names several media types."
        raise Refused(
            Reason.AMBIGUOUS_HEADERS, "content-type is given several times", Fault("headers", "content-type", problem)
        )
    declared, *parameters = (part.strip().lower() for part in value.split(";"))
    if any(part.startswith("charset") and part.replace('"', "") not in _UTF8 for part in parameters):
        problem = "The header content-type names a charset other than UTF-8."
        raise Refused(
            Reason.MALFORMED_CALL, "the body is not declared as UTF-8", Fault("headers", "content-type", problem)
        )
    return declared


def media_type(http: HttpCall) -> str:
    """The media type that a body is declared as, in lower case; "" for none and for several."""
    return (http.header("content-type") or "").partition(";")[0].strip().lower()


def is_json(declared: str) -> bool:
    """Whether a media type is one of JSON."""
    return declared == JSON_TYPE or declared.endswith("+json")
