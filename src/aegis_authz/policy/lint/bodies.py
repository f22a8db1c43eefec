"""Lints of what the catalogue says of bodies."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.catalogue import Action, BodyFormat, ParameterSource
from aegis_authz.core.interface import Interface, Sending
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location, SourceDocument

_WITHOUT_FIELDS = frozenset((BodyFormat.JSON, BodyFormat.BINARY, BodyFormat.MESSAGE))
"""Formats of which a body may pass where no parameter is listed; messages where no descriptor set tells of them."""
_VARIABLES = "/variables"


def body_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of each action of the catalogue."""
    for source in ground.tools:
        known_tool = ground.loaded.known_tools.get(str(inside(source.value, ("tool",))))
        if known_tool is None:
            continue
        for action in known_tool.tool.actions:
            yield from _unlisted_fields(action, known_tool.tool.interface, source)
            yield from _variables(action, source)


def _unlisted_fields(action: Action, interface: Interface, source: SourceDocument) -> Iterator[Finding]:
    if action.parameters or action.others:
        return
    method = interface.methods.get(action.name)
    if method is not None and method.sending is Sending.MESSAGE:
        if not interface.messages[method.request].fields:
            return
    elif _WITHOUT_FIELDS.intersection(action.bodies):
        return
    formats = ", ".join(body.value for body in action.bodies)
    message = f"{action.name} takes {formats} and lists no parameter: every call with a body is refused"
    at: Location = ("actions", action.name, "body")
    yield finding_of("unlisted-fields", source.problem(at, message, on_key=True))


def _variables(action: Action, source: SourceDocument) -> Iterator[Finding]:
    if BodyFormat.GRAPHQL not in action.bodies:
        return
    for parameter in action.parameters:
        if parameter.source is ParameterSource.BODY and (parameter.at + "/").startswith(f"{_VARIABLES}/"):
            message = (
                f"{quoted(parameter.name)} is taken from {parameter.at}, and the agent chooses which argument gets it; "
                "take it from /arguments"
            )
            at: Location = ("actions", action.name, "parameters", parameter.name, "from")
            yield finding_of("chosen-variable", source.problem(at, message))
