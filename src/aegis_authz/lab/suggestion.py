"""The smallest policy that covers recorded calls: for each agent the actions it called, with the values it called
them with, each parameter by itself.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import FilterTools, HideTools, Redact
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.lab.value_hull import NoHull, ValueHull, closed_schema
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.format.formatting import formatted
from aegis_authz.policy.language.catalogue import KnownTool
from aegis_authz.policy.source.scalars import Unreadable, plain_value
from aegis_authz.wire.mcp.lifecycle import is_lifecycle

_PERSON = "a person let them through: what asks for an approval is not suggested"
_UNHELD = "their records hold not all parameters; record: {parameters: clear} has later ones hold them"
_DUTIES = "what had to be done for them is more than a redaction by detectors and fields, or was not always the same"
_UNKNOWN = "the catalogue has no such action"
_POINTER = "a parameter has a name that conditions would take for a pointer"

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")

Target = tuple[Scope, str, str]
"""An agent, a tool and an action."""


@dataclass(slots=True)
class _Seen:
    """The calls of one action by one agent."""

    calls: int = 0
    hulls: dict[str, ValueHull] = field(default_factory=dict)
    duties: set[bytes] = field(default_factory=set)
    sanitize: dict[str, Json] = field(default_factory=dict)
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Calls that passed and that the suggestion does not cover, and why."""

    agent: str
    tool: str
    action: str
    calls: int
    why: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A document for each agent, by the name of its file; how many calls they cover, and which calls they do not."""

    documents: Mapping[str, str]
    covered: int
    left_out: tuple[LeftOut, ...]


class Suggester:
    """Takes records, and suggests what covers those of calls that passed without a person."""

    def __init__(self, tools: Mapping[str, KnownTool], agent: str, since: float) -> None:
        """`agent` is a name or org/tenant/agent, "" for all; calls from `since` on, of the epoch, are covered."""
        self._tools = tools
        self._agent = agent
        self._since = since
        self._actions: dict[Target, _Seen] = {}
        self._left_out: Counter[tuple[Target, str]] = Counter()

    def take(self, batch: Iterable[StoredRecord]) -> None:
        """Add the calls of a batch."""
        for stored in batch:
            record = stored.record
            if isinstance(record, DecisionRecord) and record.identity is not None and self._is_sought(record):
                self._add(record, (record.identity.scope, record.tool, record.action))

    def suggestion(self) -> Suggestion:
        """What covers the calls that were taken, and what is left out. The documents are valid and laid out."""
        rules: dict[Scope, dict[str, dict[bytes, tuple[list[str], dict[str, Json]]]]] = {}
        covered = 0
        left_out = Counter(self._left_out)
        for target, calls in sorted(self._actions.items(), key=lambda entry: (str(entry[0][0]), *entry[0][1:])):
            scope, tool, action = target
            try:
                rule = self._rule(tool, action, calls)
            except NoHull as fault:
                left_out[target, str(fault)] += calls.calls
                continue
            covered += calls.calls
            by_rule = rules.setdefault(scope, {}).setdefault(tool, {})
            by_rule.setdefault(canonical(rule), ([], rule))[0].append(action)
        documents: dict[str, list[str]] = {}  # names with dashes in them may make one name of a file
        for scope, by in rules.items():
            documents.setdefault(f"{scope.org}-{scope.tenant}-{scope.agent}.yaml", []).append(_document(scope, by))
        rows = sorted(left_out.items(), key=lambda entry: (str(entry[0][0][0]), *entry[0][0][1:], entry[0][1]))
        return Suggestion(
            {path: formatted(path, "---\n".join(texts)) for path, texts in documents.items()},
            covered,
            tuple(LeftOut(str(scope), tool, action, count, why) for ((scope, tool, action), why), count in rows),
        )

    def _is_sought(self, record: DecisionRecord) -> bool:
        if record.identity is None or record.effect not in (Effect.ALLOW, Effect.SANITIZE):
            return False
        scope = record.identity.scope
        if record.time < self._since or self._agent not in ("", scope.agent, str(scope)):
            return False
        is_of_session = record.kind is CallKind.MCP_SESSION and is_lifecycle(record.action)
        return bool(record.tool) and not is_of_session  # a session is open to whoever may call a tool of its server

    def _add(self, record: DecisionRecord, target: Target) -> None:
        why = self._obstacle(record)
        if why:
            self._left_out[target, why] += 1
            return
        calls = self._actions.setdefault(target, _Seen())
        calls.calls += 1
        sanitize = _sanitize(record)
        if sanitize is None:
            calls.obstacle = _DUTIES
            return
        calls.sanitize = sanitize
        calls.duties.add(canonical(sanitize))
        try:
            for name, value in record.parameters.items():
                calls.hulls.setdefault(name, ValueHull()).add(value)
        except NoHull as fault:
            calls.obstacle = f"{name} was {fault}"

    def _obstacle(self, record: DecisionRecord) -> str:
        if record.reason is Reason.APPROVED:
            return _PERSON
        if record.withheld or record.withheld is None:
            return _UNHELD
        tool = self._tools.get(record.tool)
        if tool is None or (tool.actions is not None and record.action not in tool.actions):
            return _UNKNOWN
        return _POINTER if any(name.startswith("/") for name in record.parameters) else ""

    def _rule(self, tool: str, action: str, calls: _Seen) -> dict[str, Json]:
        """Conditions and obligations of an action. Raises NoHull where its calls cannot be described."""
        if calls.obstacle or len(calls.duties) != 1:
            raise NoHull(calls.obstacle or _DUTIES)
        parameters: dict[str, Json] = {}
        for name, hull in sorted(calls.hulls.items()):
            try:
                parameters[name] = hull.condition(calls.calls)
            except NoHull as fault:
                raise NoHull(f"{name} was {fault}") from None
        conditions: dict[str, Json] = {"parameters": parameters} if parameters else {}
        if self._takes_others(tool, action, calls.hulls):
            conditions["schema"] = closed_schema([*calls.hulls])
        rule: dict[str, Json] = {"conditions": conditions} if conditions else {}
        return {**rule, "sanitize": calls.sanitize} if calls.sanitize else rule

    def _takes_others(self, name: str, action: str, parameters: Collection[str]) -> bool:
        """Whether the catalogue lets a call hold other parameters than these."""
        tool = self._tools[name]
        listed = None if tool.actions is None else tool.actions.get(action)
        return not listed or action in tool.open_actions or any(name not in parameters for name in listed)


def _sanitize(record: DecisionRecord) -> dict[str, Json] | None:
    """The redactions of a call as a rule says them; None where it had to be done more than a rule of these can say."""
    sides: dict[str, Json] = {}
    for obligation in record.obligations:
        if isinstance(obligation, FilterTools | HideTools):
            continue  # of the lists of a server, which the rules themselves make
        if not isinstance(obligation, Redact) or obligation.target.value in sides:
            return None
        words = {"detectors": [*obligation.detectors], "fields": [*obligation.fields]}
        sides[obligation.target.value] = {word: names for word, names in words.items() if names}
    return sides


def _document(scope: Scope, tools: Mapping[str, Mapping[bytes, tuple[Sequence[str], Mapping[str, Json]]]]) -> str:
    names = (("org", scope.org), ("tenant", scope.tenant), ("agent", scope.agent))
    lines = [*(f"{word}: {_flow(name)}" for word, name in names), "allowed_tools:"]
    for tool, rules in tools.items():
        for actions, rule in rules.values():
            lines += [f"  - name: {_flow(tool)}", f"    actions: {_flow([*actions])}", *_members(rule)]
    return "\n".join(lines) + "\n"


def _members(rule: Mapping[str, Json]) -> Iterator[str]:
    for member, value in rule.items():
        parameters = value.get("parameters") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(parameters, Mapping):
            yield f"    {member}: {_flow(value)}"
            continue
        yield f"    {member}:"
        yield "      parameters:"
        yield from (f"        {_flow(name)}: {_flow(condition)}" for name, condition in parameters.items())
        yield from (f"      {word}: {_flow(other)}" for word, other in value.items() if word != "parameters")


def _flow(value: Json) -> str:
    """A value as YAML on one line: JSON, but for plain words, and numbers, of which YAML reads `1e-7` as text."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(name)}: {_flow(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    return value if isinstance(value, str) and _is_plain(value) else json.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads the text as itself without quotes: not so `on`, or `2024`."""
    try:
        return _WORD.fullmatch(text) is not None and plain_value(text) == text
    except Unreadable:
        return False
