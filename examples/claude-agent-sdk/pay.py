"""An agent of the Claude Agent SDK pays: a payment passes, another is refused, a third waits, a command is refused."""

import asyncio

from claude_agent_sdk import ClaudeAgentOptions, ToolResultBlock, UserMessage, create_sdk_mcp_server, query, tool

from aegis_agent import Aegis
from aegis_agent.claude_agent_sdk import aegis_hooks
from aegis_agent.claude_script import ClaudeScript
from aegis_agent.httpx2 import AsyncClient

aegis = Aegis.from_env(on_pending=lambda held: print(held, flush=True))
client = AsyncClient(aegis)


@tool("pay", "Pay a supplier.", {"amount": int, "payee": str})
async def pay(arguments):
    answer = await client.post("http://api.stripe.example/v1/payments", json=arguments)
    return {"content": [{"type": "text", "text": answer.text}]}


async def main():
    options = ClaudeAgentOptions(
        mcp_servers={"bank": create_sdk_mcp_server("bank", tools=[pay])},
        hooks=aegis_hooks(aegis, tool="claude-code", servers=["bank"]),
    )
    payments = [("mcp__bank__pay", {"amount": amount, "payee": "ACME"}) for amount in (4200, 50000, 6400)]
    script = ClaudeScript([*([each] for each in payments), [("Bash", {"command": "rm -r invoices"})]])
    async for message in query(prompt="Pay ACME.", options=options, transport=script):  # without it, Claude
        for block in message.content if isinstance(message, UserMessage) else []:
            if isinstance(block, ToolResultBlock):
                print(block.content if isinstance(block.content, str) else block.content[0]["text"], flush=True)
    await client.aclose()
    aegis.close()


asyncio.run(main())
