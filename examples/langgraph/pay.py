"""A payment that a person must approve: the first run stops there, a second one, once it is decided, goes on."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from aegis_agent import Aegis
from aegis_agent.httpx2 import Client
from aegis_agent.langgraph import resume, wrap_tool_call

aegis = Aegis.from_env()
client = Client(aegis)


@tool
def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    return client.post("http://api.stripe.example/v1/payments", json={"amount": amount, "payee": payee}).text


def model(_: MessagesState) -> dict[str, list[AIMessage]]:
    """Stands for a model."""
    call = {"name": "pay", "args": {"amount": 5600, "payee": "ACME"}, "id": "1"}
    return {"messages": [AIMessage("", tool_calls=[call])]}


tools = ToolNode([pay], wrap_tool_call=wrap_tool_call(aegis))
builder = StateGraph(MessagesState).add_node("model", model).add_node("tools", tools)
builder.add_edge(START, "model").add_edge("model", "tools")
with SqliteSaver.from_conn_string("pay.sqlite") as checkpointer:
    graph = builder.compile(checkpointer=checkpointer)
    config = {"configurable": {"thread_id": "invoice-1181"}}
    held = graph.get_state(config).interrupts
    result = graph.invoke(resume(held) if held else {"messages": "Pay ACME."}, config)
for interrupt in result.get("__interrupt__", ()):
    print("held", interrupt.value["description"])
print("answer", result["messages"][-1].content)
aegis.close()
