"""Headers that are parameters of an action: what policy judges, approvers see and approvals are bound to."""

from __future__ import annotations

import re
from collections.abc import Callable

from aegis_authz.core.catalogue import Action, ParameterSource
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

Headers = Callable[[str], tuple[str, ...]]
"""Every value that a request has for a header, by its name in lower case."""

_PLAIN = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?\Z")
"""What every reader of a header reads alike; what is beyond it is opaque (RFC 9110, section 5.5). Spaces around it are
no part of it: HTTP/2 carries them, HTTP/1.1 loses them on the way to the tool.
"""


def header_texts(action: Action, headers: Headers) -> dict[str, str]:
    """The headers that an action declares, by name, as they were sent; absent ones are left out.

    Raises what `header_text` raises.
    """
    names = (parameter.at for parameter in action.parameters if parameter.source is ParameterSource.HEADER)
    texts = ((name, header_text(name, headers)) for name in names)
    return {name: text for name, text in texts if text is not None}


def header_text(name: str, headers: Headers) -> str | None:
    """The one value of a header, None where it is absent.

    Raises Refused(DUPLICATE_KEY) for several values, which some readers join and others choose from, and
    Refused(MALFORMED_CALL) for more than printable ASCII, and for spaces around it.
    """
    values = headers(name)
    if len(values) > 1:
        problem = f"The header {quoted(name)} is sent more than once."
        raise Refused(Reason.DUPLICATE_KEY, f"{name} is sent {len(values)} times", Fault("headers", name, problem))
    if values and not _PLAIN.match(values[0]):
        problem = f"The header {quoted(name)} holds more than printable ASCII characters, or spaces around them."
        raise Refused(Reason.MALFORMED_CALL, f"{name} is not of printable ASCII", Fault("headers", name, problem))
    return values[0] if values else None
