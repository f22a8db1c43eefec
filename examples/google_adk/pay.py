"""An agent of Google ADK pays: a payment passes, another is refused, a third waits until a person has decided."""

import sys

from google.adk.agents import LlmAgent
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import InMemoryRunner
from google.genai.types import Content, Part

from aegis_agent import Aegis
from aegis_agent.google_adk import AegisPlugin, resume
from aegis_agent.httpx2 import Client

aegis = Aegis.from_env()
client = Client(aegis)


def pay(amount: int, payee: str) -> dict:
    """Pay a supplier."""
    return client.post("http://api.stripe.example/v1/payments", json={"amount": amount, "payee": payee}).json()


class Script(BaseLlm):
    async def generate_content_async(self, llm_request, stream=False):
        """Stands for a model."""
        calls = [Part.from_function_call(name="pay", args={"amount": n, "payee": "ACME"}) for n in (4200, 50000, 5900)]
        first = len(llm_request.contents) == 1
        yield LlmResponse(content=Content(role="model", parts=calls if first else [Part(text="I paid what I may.")]))


runner = InMemoryRunner(LlmAgent(name="payer", model=Script(model="script"), tools=[pay]), plugins=[AegisPlugin(aegis)])
runner.auto_create_session = True
message = Content(role="user", parts=[Part(text="Pay ACME.")])
while message:
    events = list(runner.run(user_id="1", session_id="1", new_message=message))
    for response in (response for event in events for response in event.get_function_responses()):
        print(response.response, flush=True)
    if message := resume(events):
        sys.stdin.readline()  # somebody decides meanwhile
