"""SaaS: an assistant that asks a language model in a loop, until its budget ends."""

from __future__ import annotations

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row, row
from aegis_authz.demo.use_cases.use_case import UseCase

_URL, _PATH = "http://api.openai.example/v1/chat/completions", "/v1/chat/completions"
_MESSAGES = [{"role": "user", "content": "Hello"}]
_DEAR = {"model": "o1-pro", "max_completion_tokens": 10_000, "messages": _MESSAGES}
_CHEAP = {"model": "gpt-4o", "max_completion_tokens": 100, "messages": _MESSAGES}
_LOOP = 20
"""How often it goes on asking."""
_SUBJECT = "ask a fourth time: beyond 20 USD"


async def _assistant(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A bill that runs away is stopped at 20 USD a day, and the loop that makes it is noticed."""

    async def ask(question: object) -> Reply:
        token = agent.tokens.mint("support-assistant", "saas")
        return await agent.call("support-assistant", "POST", _URL, question, token=token)

    first, second, third = [await ask(_DEAR) for _ in range(3)]
    mesh.tools.received.pop(_PATH, None)
    beyond = await ask(_DEAR)
    is_unasked = _PATH not in mesh.tools.received
    cheap = await ask(_CHEAP)
    loop = [await ask(_DEAR) for _ in range(_LOOP)]
    is_refused = all(reply.reason == "BUDGET_EXCEEDED" for reply in loop)
    is_advised = beyond.status == 429 and "20" in beyond.body
    name = "saas"
    return [
        row(name, "ask a dear model: 6 USD", first, "allow", "ALLOWED", first.status == 200),
        row(name, "ask it again", second, "allow", "ALLOWED", second.status == 200),
        row(name, "and again: 90 % of the budget", third, "allow", "ALLOWED", third.status == 200),
        row(name, _SUBJECT, beyond, "deny", "BUDGET_EXCEEDED", is_advised and is_unasked),
        row(name, "ask a cheap model for what is left", cheap, "allow", "ALLOWED", cheap.status == 200),
        row(name, f"ask the dear one {_LOOP} times more", loop[-1], "deny", "BUDGET_EXCEEDED", is_refused),
    ]


SAAS = UseCase(
    "saas",
    _assistant,
    _SUBJECT,
    frozenset({"budget-at-80-percent", "denial-burst", "tool-never-used-before"}),
)
