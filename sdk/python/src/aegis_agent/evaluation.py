"""Asking the mesh of calls that do not pass its proxy, and telling it what became of them.

Source: OpenID AuthZEN Authorization API 1.0, Access Evaluation; docs/evaluation.md of Aegis for the outcome.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from aegis_agent.answers import refusal_error
from aegis_agent.enrolment import EVALUATION_VARIABLE, Enrolment
from aegis_agent.errors import AegisError, AegisUnavailable, ApprovalNeeded, Standing
from aegis_agent.exchange import Exchange, Reply
from aegis_agent.own_thread import in_own_thread

EVALUATION_PATH, OUTCOME_PATH = "/access/v1/evaluation", "/access/v1/outcome"
REDACT = "redact"
"""The kind of obligation that this SDK meets."""
SECONDS = 30
"""How long each read of an answer may take."""
MOST_WAIT = 300
"""Seconds for which a mesh keeps a question open at most (docs/evaluation.md)."""
_MOST_BYTES = 8 * 1024 * 1024
_EFFECTS = ("allow", "sanitize")
_PLAIN = (str, int, float, bool, type(None))

Headers = Callable[[str, str, bytes], dict[str, str]]


class Evaluations:
    """The evaluation endpoint of one agent's mesh."""

    def __init__(
        self,
        enrolment: Enrolment,
        headers: Headers,
        tls: ssl.SSLContext | None,
        standing: Callable[[str], Standing],
        approval_wait: int,
    ) -> None:
        """`headers` are those a request has to carry; `standing` says how an approval stands; `approval_wait` for how
        many seconds a held question may be kept open. Raises ValueError for one that is none."""
        if isinstance(approval_wait, bool) or not isinstance(approval_wait, int) or not 0 <= approval_wait <= MOST_WAIT:
            raise ValueError(f"approval_wait is a whole number of seconds from 0 to {MOST_WAIT}, not {approval_wait!r}")
        self._approval_wait = approval_wait
        self._enrolment = enrolment
        self._headers = headers
        self._standing = standing
        self._exchange = Exchange("the mesh", tls, SECONDS, _MOST_BYTES)

    def ask(self, tool: str, action: str, arguments: Mapping[str, Any]) -> Permit:
        """As `Aegis.evaluate`."""
        question = {
            "subject": {"type": "agent", "id": self._enrolment.agent},
            "resource": {"type": "tool", "id": tool},
            "action": {"name": action, "properties": require_json(dict(arguments), "the arguments")},
            "context": {"obligations": [REDACT]},
        }
        answer = self._post(EVALUATION_PATH, question, self._approval_wait)
        context = answer.members.get("context")
        if not isinstance(context, dict):
            raise AegisUnavailable(f"{self._enrolment.evaluation} answered no evaluation: status {answer.status}")
        if answer.status != 200 or answer.members.get("decision") is not True:
            raise self._refused(answer, context, tool, action, arguments)
        return self._permit(context, dict(arguments))

    async def ask_async(self, tool: str, action: str, arguments: Mapping[str, Any]) -> Permit:
        """As `ask`, without blocking the event loop. What a task that is cancelled was permitted is given back."""
        return await in_own_thread(lambda: self.ask(tool, action, arguments), Permit.not_called)

    def report(self, ticket: str, outcome: str, **result: Any) -> dict[str, Any]:
        """Report an outcome; what it answers. Raises AegisUnavailable, AegisDenied."""
        answer = self._post(OUTCOME_PATH, {"ticket": ticket, "outcome": outcome, **result})
        if answer.status == 200 and answer.members.get("outcome") == outcome:
            return answer.members
        raise self._error(answer, answer.members)

    def _permit(self, context: dict[str, Any], arguments: dict[str, Any]) -> Permit:
        outcome = context.get("outcome")
        ticket = outcome.get("ticket") if isinstance(outcome, dict) else None
        decision_id = context.get("decision_id")
        if context.get("effect") not in _EFFECTS or not isinstance(ticket, str) or not isinstance(decision_id, str):
            raise AegisUnavailable(f"{self._enrolment.evaluation} allows a call and does not say how")
        is_shown = True
        for demand in _demands(context):
            match demand.get("id"), demand.get("type"), demand.get("properties"):
                case "arguments", "redact", {"arguments": dict(output)} if output.keys() == arguments.keys():
                    arguments = output
                case "result", "redact", None:
                    is_shown = False
                case _:
                    self._abandon(ticket)
                    raise AegisUnavailable("the mesh demands what this version of aegis-agent does not do: update it")
        return Permit(self, ticket, decision_id, arguments, is_shown)

    def _abandon(self, ticket: str) -> None:
        try:
            self.report(ticket, "not_called")
        except AegisError:
            return  # then it stays charged as it was estimated

    def _refused(
        self, answer: Reply, context: dict[str, Any], tool: str, action: str, arguments: Mapping[str, Any]
    ) -> AegisError:
        error = self._error(answer, context)
        if isinstance(error, ApprovalNeeded):
            error.repeat = lambda: self.ask(tool, action, arguments)
        return error

    def _error(self, answer: Reply, members: dict[str, Any]) -> AegisError:
        if "reason" not in members:
            return AegisUnavailable(f"{self._enrolment.evaluation} answered with status {answer.status}")
        return refusal_error(answer.status, answer.headers, json.dumps(members).encode("utf-8"), self._standing)

    def _post(self, path: str, document: Mapping[str, Any], wait: int = 0) -> Reply:
        base = self._enrolment.evaluation
        if not base:
            raise AegisUnavailable(
                f"nobody says where functions of {self._enrolment.agent} are asked about: set {EVALUATION_VARIABLE}"
            )
        url, body = f"{base}{path}", json.dumps(document, allow_nan=False).encode("utf-8")
        headers = {**self._headers("POST", url, body), "content-type": "application/json"}
        if wait:
            headers["prefer"] = f"wait={wait}"  # RFC 7240
        return self._exchange.send(url, body, headers, wait)


class Permit:
    """That one call may be made now, with `arguments`. What became of it is reported once, whatever it was.

    `decision_id` names the record. `shows_result` says whether the result may be shown as the tool gave it.
    """

    def __init__(
        self, evaluations: Evaluations, ticket: str, decision_id: str, arguments: dict[str, Any], shows_result: bool
    ) -> None:
        self.arguments = arguments
        self.decision_id = decision_id
        self.shows_result = shows_result
        self._evaluations = evaluations
        self._ticket = ticket

    def __repr__(self) -> str:
        return f"Permit({self.decision_id})"

    def done(self, result: Any) -> Any:
        """The call is made: what of its result may be shown.

        Raises AegisDenied and AegisUnavailable where it must be redacted and is not, and TypeError for one that is no
        JSON then. Where nothing is redacted, a mesh that is gone by now changes nothing: the call is made.
        """
        if self.shows_result:
            self._tell("done")
            return result
        document = require_json(result, "a result that must be redacted")
        answer = self._evaluations.report(self._ticket, "done", result=document)
        if "result" not in answer:
            raise AegisUnavailable("the mesh did not say what of the result may be shown")
        return answer["result"]

    def failed(self, error: BaseException) -> str:
        """The call was made, and raised an error: what of its text may be shown. Raises as `done` does."""
        if self.shows_result:
            self._tell("failed")
            return str(error)
        answer = self._evaluations.report(self._ticket, "failed", result=str(error))
        shown = answer.get("result")
        if not isinstance(shown, str):
            raise AegisUnavailable("the mesh did not say what of the error may be shown")
        return shown

    def not_called(self) -> None:
        """The call is not made after all."""
        self._tell("not_called")

    def _tell(self, outcome: str) -> None:
        try:
            self._evaluations.report(self._ticket, outcome)
        except AegisError:
            return  # what is not told stays charged as it was estimated


def require_json(value: Any, name: str) -> Any:
    """The value, where JSON says all of it: nothing else can be judged. Raises TypeError.

    A tuple is a list. A key that is no text, a number that is none, or an object of a class would be judged as
    something else than what the function gets.
    """
    if type(value) in _PLAIN:
        if isinstance(value, float) and value - value != 0:
            raise TypeError(f"{name} holds a number that JSON cannot write: {value}")
        return value
    if type(value) in (list, tuple):
        return [require_json(element, name) for element in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: require_json(member, name) for key, member in value.items()}
    raise TypeError(f"{name} must be JSON, and holds a value of type {type(value).__name__}")


def _demands(context: dict[str, Any]) -> list[dict[str, Any]]:
    demands = context.get("obligations", [])
    if not isinstance(demands, list):
        return [{}]
    return [demand if isinstance(demand, dict) else {} for demand in demands]
