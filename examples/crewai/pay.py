"""An agent of CrewAI pays: a payment passes, another is refused, and a third waits in place until a person decides."""

import json

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.tools import tool

from aegis_agent import Aegis
from aegis_agent.crewai import aegis_tools
from aegis_agent.httpx2 import Client

aegis = Aegis.from_env(on_pending=lambda held: print(held, flush=True))
client = Client(aegis)


@tool
def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    return client.post("http://api.stripe.example/v1/payments", json={"amount": amount, "payee": payee}).text


class Script(BaseLLM):
    amounts: list[int]

    def supports_function_calling(self):
        return True

    def call(self, messages, *_, **__):
        """Stands for a model."""
        calls = [{"name": "pay", "arguments": json.dumps({"amount": n, "payee": "ACME"})} for n in self.amounts]
        self.amounts = []
        return calls or "\n".join(each["content"] for each in messages if each["role"] == "tool")


script = Script(model="script", amounts=[4200, 50000, 6300])
payer = Agent(role="payer", goal="pay", backstory="", llm=script, tools=aegis_tools([pay]))
output = Crew(agents=[payer], tasks=[Task(description="Pay ACME.", expected_output="paid", agent=payer)]).kickoff()
print(output, *(record.failure.details["reason"] for record in output.tool_failures), sep="\n")
aegis.close()
