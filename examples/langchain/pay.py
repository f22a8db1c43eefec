"""An agent of LangChain pays twice; the second payment is more than policy allows, and the model is told why."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from aegis_agent import Aegis
from aegis_agent.httpx2 import Client
from aegis_agent.langchain import AegisMiddleware

aegis = Aegis.from_env()
client = Client(aegis)


@tool
def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    return client.post("http://api.stripe.example/v1/payments", json={"amount": amount, "payee": payee}).text


class Script(GenericFakeChatModel):
    """Stands for a model: it asks for two payments, and is done."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


calls = [{"name": "pay", "args": {"amount": a, "payee": "ACME"}, "id": str(a)} for a in (4200, 50000)]
model = Script(messages=iter([AIMessage("", tool_calls=calls), AIMessage("I paid what I may.")]))
agent = create_agent(model, [pay], middleware=[AegisMiddleware(aegis)], checkpointer=InMemorySaver())
result = agent.invoke({"messages": "Pay ACME."}, {"configurable": {"thread_id": "invoices"}})
for message in result["messages"]:
    if isinstance(message, ToolMessage):
        print(message.status, message.content)
print(result["messages"][-1].content)
aegis.close()
