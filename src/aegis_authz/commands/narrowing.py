"""A token for one task: what is asked for in files and options, and the narrower token itself."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from aegis_authz import durable
from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import AgentToken, TokenFault
from aegis_authz.commands.agent import AgentSide
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.core.grant import ANY, MOST_NARROWINGS, GrantRequest, Tools
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.lab.grants import moment, written_tools
from aegis_authz.policy.language.validation import Part, validated
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.policy.source.reader import read_source
from aegis_authz.wire.authorization_details import details_text
from aegis_authz.wire.grant import MOST_CALLS, read_tools

_MOST_BYTES = 64 * 1024


class TaskDocument(Part):
    """A task as a file says it: what its calls may be, how many, until when, and how often it may be narrowed again."""

    tools: Annotated[dict[str, object], PlainValidator(written_tools)] | None = None
    calls: Annotated[int, Field(ge=1, le=MOST_CALLS)] | None = None
    expires_in: Annotated[int | float, Field(gt=0, le=86_400)] | None = None
    expires_at: Annotated[str, AfterValidator(moment)] | None = None
    depth: Annotated[int, Field(ge=0, lt=MOST_NARROWINGS)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> TaskDocument:
        if self.expires_in is not None and self.expires_at is not None:
            raise ValueError("must have either expires_in or expires_at")
        if not self.model_fields_set:
            raise ValueError("must narrow something: tools, calls, expires_in, expires_at or depth")
        return self


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """A task as options of a command say it; empty, None and "" are what was not said. `values` are `name=value`."""

    file: Path | None
    tools: Sequence[str]
    actions: Sequence[str]
    values: Sequence[str]
    calls: int | None
    expires_at: float | None
    depth: int | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A narrower token, what was asked for it, and the agent whose it is."""

    token: AgentToken
    agent: str
    details: str


def task_of_file(path: Path, now: Epoch) -> GrantRequest:
    """The task a YAML or JSON file describes. Raises PolicyErrors with every problem of it, Unable."""
    text = _whole(path)
    documents, problems = read_source(str(path), text)
    if len(documents) != 1 or problems:
        raise PolicyErrors(problems or [Problem(str(path), 1, 1, "", "must hold exactly one task")])
    task, wrong = validated(TaskDocument, documents[0])
    if task is None or wrong:
        raise PolicyErrors(wrong)
    end = None if task.expires_in is None else now + task.expires_in
    if task.expires_at is not None:
        end = datetime.fromisoformat(task.expires_at).timestamp()
    tools = None if task.tools is None else read_tools(task.tools)  # type: ignore[arg-type]  # it was read as Json
    return GrantRequest(tools, task.calls, None if end is None else Epoch(float(math.floor(end))), task.depth)


def _whole(path: Path) -> str:
    """The text of a file of tasks, or nothing of it: what is left of a task that was cut may be wider than the task."""
    try:
        with path.open("rb") as file:
            content, size = file.read(_MOST_BYTES + 1), os.fstat(file.fileno()).st_size
        if len(content) > _MOST_BYTES:
            raise Unable(f"{path}: {max(size, len(content))} bytes are too many: a task has at most {_MOST_BYTES}")
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise Unable(f"{path}: {fault}") from None


def task_details(path: Path, now: Epoch) -> str:
    """The task of a file as `authorization_details`. Raises PolicyErrors, Unable."""
    return details_text(task_of_file(path, now))


def task_of_options(options: TaskOptions, now: Epoch) -> GrantRequest:
    """The task. Raises PolicyErrors, Unable."""
    if options.file is not None:
        if (
            options.tools
            or options.actions
            or options.values
            or (options.calls, options.expires_at, options.depth) != (None,) * 3
        ):
            raise Unable("a task is either in a file or in options, not in both")
        return task_of_file(options.file, now)
    end = None if options.expires_at is None else Epoch(float(math.floor(options.expires_at)))
    request = GrantRequest(_tools_of(options), options.calls, end, options.depth)
    if (request.tools, request.calls, request.expires_at, request.depth) == (None,) * 4:
        raise Unable("say what to narrow: --tool, --action, --value, --count, --for, --until, --depth or --file")
    return request


async def narrow_token(side: AgentSide, request: GrantRequest, parent: str, bound_to: str) -> Narrowed:
    """A narrower token of the agent. Raises Unable.

    `parent` is the token to narrow, "" for a new one of the agent's own; `bound_to` is that of
    `TokenEndpoint.narrow`.
    """
    details = details_text(request)
    async with mesh_session() as session:
        with unable_on(TokenFault):
            endpoint = TokenEndpoint(session, side.enrolment.token_endpoint, side.enrolment.scope, side.key)
            own = parent or (await endpoint.obtain()).text
            token = await endpoint.narrow(own, details, bound_to)
    return Narrowed(token, side.enrolment.agent, details)


def read_token(path: Path) -> str:
    """The token in a file. Raises Unable."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Unable(f"{path}: no token: {fault}") from None
    if text.count(".") != 2 or any(character.isspace() for character in text):
        raise Unable(f"{path}: no token")
    return text


def _tools_of(options: TaskOptions) -> Tools | None:
    if not options.tools:
        if options.actions or options.values:
            raise Unable("--action and --value are of a tool; name it with --tool")
        return None
    if len(options.tools) > 1 and (options.actions or options.values):
        raise Unable("--action and --value go with one --tool; write several tools into a --file")
    values: dict[str, list[Json]] = {}
    for pair in options.values:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise Unable(f"--value: {pair!r} is not NAME=VALUE")
        values.setdefault(name, []).append(_value(text))
    actions = dict.fromkeys(options.actions or (ANY,), values)
    try:
        return read_tools(dict.fromkeys(options.tools, actions))
    except Refused as refusal:
        raise Unable(refusal.detail) from None


def _value(text: str) -> Json:
    """JSON, else a text."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except Refused as refusal:
        raise Unable(f"--value: {text!r}: {refusal.detail}") from None


def write_token(path: Path, token: str) -> None:
    """Write a token where its owner alone reads it. Raises Unable."""
    with unable_on(OSError):
        durable.replace(path, token.encode("ascii") + b"\n")
