"""Calls as people write them in tests and for `explain`, turned into the question the mesh would put to OPA."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.circumstances import CONTEXT
from aegis_authz.core.decision import Evaluation
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Digest, Epoch, Jti
from aegis_authz.lab.grants import TriedNarrowing, grant_from_tried, moment, tried_grant
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.language.types import LISTED, Words
from aegis_authz.policy.language.validation import Part
from aegis_authz.wire.opa.answer import question_to_data
from aegis_authz.wire.spellings import spellings

DEFAULT_TIME = "2026-01-01T12:00:00+00:00"
"""When a call is made that does not say when: the same moment on every day the tests run."""
_TOKEN_LIFE = 60.0  # seconds


def _scope(value: str) -> str:
    return str(Scope.parse(value))


def _parameters(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("must be a mapping")  # noqa: TRY004  # pydantic wants ValueError
    return value


class CallContext(Part):
    """What is true around a tried call. `token_age` is in seconds."""

    time: Annotated[str, AfterValidator(moment)] = DEFAULT_TIME
    environment: str = ""
    source: str = ""
    on_behalf_of: str = ""
    acted_by: Annotated[tuple[Words, ...], LISTED] = ()
    session: str = ""
    token_age: Annotated[int, Field(ge=0)] = 0


class TriedCall(Part):
    """One call of a tool's action, or of a `host` that no tool claims. `grant` is the widest first."""

    agent: Annotated[str, AfterValidator(_scope)]
    tool: str = ""
    action: str = ""
    parameters: Annotated[dict[str, object], PlainValidator(_parameters)] = Field(default_factory=dict)
    host: str = ""
    method: str = "POST"
    scheme: Literal["http", "https"] = "https"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    context: CallContext = CallContext()
    grant: Annotated[tuple[TriedNarrowing, ...], LISTED] = ()

    @model_validator(mode="after")
    def _calls_something(self) -> TriedCall:
        if bool(self.tool) == bool(self.host):
            raise ValueError("must have either a tool and its action, or the host that is called")
        if self.tool and not self.action:
            raise ValueError("must name the action of the tool")
        return self


def call_of(question: Evaluation) -> TriedCall:
    """A question as a call is written, its time to the microsecond. Raises ValueError for what no call can hold."""
    call, identity = question.call, question.identity
    return TriedCall.model_validate(
        {
            "agent": str(identity.scope),
            "tool": call.tool,
            "action": call.action,
            "parameters": dict(call.parameters),
            "host": "" if call.tool else call.host,
            "method": call.method,
            "scheme": call.scheme,
            "port": call.port,
            "grant": [] if identity.grant is None else tried_grant(identity.grant),
            "context": {
                "time": datetime.fromtimestamp(question.time, UTC).isoformat(),
                "environment": question.environment,
                "source": call.source,
                "on_behalf_of": identity.on_behalf_of,
                "acted_by": list(identity.actors),
                "session": question.session,
                "token_age": max(0, int(question.time - identity.issued_at)),
            },
        }
    )


def question_of(call: TriedCall, catalogue: Catalogue, kind: CallKind | None = None) -> dict[str, Json]:
    """The question the mesh would ask, with everything that is known around the call.

    `kind` is how the call came about where that is known; None is what the catalogue says of the tool and the action.
    """
    return question_to_data(evaluation_of(call, catalogue, kind, Jti(""), ""))


def evaluation_of(call: TriedCall, catalogue: Catalogue, kind: CallKind | None, jti: Jti, session: str) -> Evaluation:
    """The same as the value of the core. The call is made with a token of this id, of a minute's life.

    `session` is that of the token, "" for the one of the call's context.
    """
    context = call.context
    now = Epoch(datetime.fromisoformat(context.time).timestamp())
    identity = Identity(
        scope=Scope.parse(call.agent),
        issuer="",
        key_id="",
        jti=jti,
        issued_at=Epoch(now - context.token_age),
        expires_at=Epoch(now + _TOKEN_LIFE),
        actors=context.acted_by,
        on_behalf_of=context.on_behalf_of,
        way=Way.TOKEN,
        proof=None,
        session=session or context.session,
        grant=grant_from_tried(call.grant, now),
    )
    parameters = _given(call, catalogue)
    tool_call = ToolCall(
        kind=_kind(call, catalogue) if kind is None else kind,
        tool=call.tool,
        action=call.action,
        parameters=parameters,
        declared=(),
        host=call.host,
        port=call.port,
        method=call.method,
        path="/",
        source=context.source,
        rpc=NO_RPC,
        digest=Digest(hashlib.sha256(canonical([call.tool, call.action, call.host, dict(parameters)])).hexdigest()),
        content_type="",
        scheme=call.scheme,
        besides={},
        spellings=spellings(parameters),
        batch=0,
    )
    return Evaluation(identity, tool_call, now, context.environment, identity.session, CONTEXT, None)


def _given(call: TriedCall, catalogue: Catalogue) -> Mapping[str, Json]:
    """The parameters as the mesh reads them: null is no parameter that the catalogue lists as optional."""
    tool = catalogue.by_name.get(call.tool)
    parameters = () if tool is None else tool.parameters_of(call.action)
    optional = {parameter.name for parameter in parameters if parameter.optional}
    given: Mapping[str, Json] = call.parameters  # type: ignore[assignment]  # it came out of a source document: it is Json
    return {name: value for name, value in given.items() if value is not None or name not in optional}


def _kind(call: TriedCall, catalogue: Catalogue) -> CallKind:
    if call.host:
        return CallKind.UNCLAIMED
    tool = catalogue.by_name.get(call.tool)
    if tool is None or not tool.is_mcp:
        return CallKind.ACTION
    return CallKind.MCP_SESSION if is_method(call.action) else CallKind.MCP_TOOL
