"""A call as it is given by options of a command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, get_origin

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.lab.calls import CallContext, TriedCall
from aegis_authz.lab.cases import call_faults
from aegis_authz.policy.language.validation import validated
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import did_you_mean, quoted
from aegis_authz.policy.source.reader import read_source

_FIELDS = ("agent", "tool", "action", "host", "method")


class FlagsInvalid(Exception):
    """Options that make no call; the message names each and is fit to show."""


@dataclass(frozen=True, slots=True)
class CallFlags:
    """The options as given: "" and empty where they were not. The lists hold `name=value`."""

    agent: str = ""
    tool: str = ""
    action: str = ""
    host: str = ""
    method: str = ""
    parameters: Sequence[str] = ()
    texts: Sequence[str] = ()
    context: Sequence[str] = ()

    @property
    def names_call(self) -> bool:
        """Whether it is said which call is meant, and not only what is to be changed of one."""
        return any(getattr(self, name) for name in _FIELDS)

    @property
    def is_empty(self) -> bool:
        return not (self.names_call or self.parameters or self.texts or self.context)


def call_of_flags(flags: CallFlags, loaded: Loaded, amended: TriedCall | None = None) -> TriedCall:
    """The call that options make; with `amended`, that call with what the options say instead. Raises FlagsInvalid."""
    fields: dict[str, Json] = {name: value for name in _FIELDS if (value := getattr(flags, name))}
    context: dict[str, Json] = {} if amended is None else amended.context.model_dump(mode="json")
    context |= _context(flags.context)
    parameters: dict[str, object] = {} if amended is None else dict(amended.parameters)
    parameters |= _parameters(flags)
    if amended is not None:
        fields = _instead(amended, fields)
    documents, problems = read_source("options", json.dumps({**fields, "context": context}, ensure_ascii=False))
    call, wrong = validated(TriedCall, documents[0]) if documents else (None, problems)
    if call is None or wrong:
        raise FlagsInvalid("; ".join(_option_fault(problem.field, problem.message) for problem in wrong))
    call = call.model_copy(update={"parameters": parameters, "grant": () if amended is None else amended.grant})
    faults = [_option_fault(".".join(map(str, at)), message) for at, message in call_faults(call, loaded)]
    if faults:
        raise FlagsInvalid("; ".join(faults))
    return call


def _instead(amended: TriedCall, fields: Mapping[str, Json]) -> dict[str, Json]:
    left_out = ("tool", "action") if "host" in fields else ("host",) if "tool" in fields else ()
    rest = {name: value for name in _FIELDS if name not in left_out and (value := getattr(amended, name))}
    return {**rest, **fields}


def _parameters(flags: CallFlags) -> dict[str, Json]:
    parameters: dict[str, Json] = {}
    for option, listed in (("--param", flags.parameters), ("--param-text", flags.texts)):
        for name, text in _pairs(option, listed):
            if name in parameters:
                raise FlagsInvalid(f"{option}: {quoted(name)} is given twice")
            parameters[name] = text if option == "--param-text" else _value(name, text)
    return parameters


def _value(name: str, text: str) -> Json:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text
    try:
        return strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except Refused as refusal:
        raise FlagsInvalid(f"--param: {quoted(name)}: {refusal.detail}; give a text with --param-text") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and its like are texts


def _context(listed: Sequence[str]) -> dict[str, Json]:
    circumstances: dict[str, Json] = {}
    for name, text in _pairs("--context", listed):
        if name not in CallContext.model_fields:
            near = did_you_mean(name, CallContext.model_fields)
            raise FlagsInvalid(f"--context: unknown key {quoted(name)}{near}")
        if name in circumstances:
            raise FlagsInvalid(f"--context: {quoted(name)} is given twice")
        kind = CallContext.model_fields[name].annotation
        circumstances[name] = text
        if kind is int and text.isdecimal():
            circumstances[name] = int(text)
        elif get_origin(kind) is tuple:
            circumstances[name] = [part.strip() for part in text.split(",") if part.strip()]
    return circumstances


def _pairs(option: str, listed: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in listed:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise FlagsInvalid(f"{option}: {quoted(pair)} is not NAME=VALUE")
        if any("\ud800" <= character <= "\udfff" for character in pair):  # how bytes that are no text are passed on
            raise FlagsInvalid(f"{option}: {quoted(name)} is not UTF-8")
        yield name, text


def _option_fault(field: str, message: str) -> str:
    head, _, rest = field.partition(".")
    if head == "context":
        return f"--context {rest}: {message}" if rest else f"--context: {message}"
    if head == "parameters":
        return f"--param {rest}: {message}"
    return f"--{head}: {message}" if head else message
