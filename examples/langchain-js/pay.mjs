// An agent of LangChain pays twice; the second payment is more than policy allows, and the model is told why.
import { Aegis } from "@aegis-authz/agent";
import { aegisMiddleware } from "@aegis-authz/agent/langchain";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import { MemorySaver } from "@langchain/langgraph";
import { AIMessage, createAgent, ToolMessage } from "langchain";
import { z } from "zod";

const aegis = Aegis.fromEnv();
const pay = tool(
  async ({ amount, payee }) => {
    const headers = { "content-type": "application/json" };
    const order = { method: "POST", headers, body: JSON.stringify({ amount, payee }) };
    return (await aegis.fetch("http://api.stripe.example/v1/payments", order)).text();
  },
  { name: "pay", description: "Pay a supplier.", schema: z.object({ amount: z.number(), payee: z.string() }) },
);

// stands for a model: it asks for two payments, and is done
const calls = [4200, 50000].map((amount) => ({ name: "pay", args: { amount, payee: "ACME" }, id: `${amount}` }));
const model = fakeModel().respondWithTools(calls).respond(new AIMessage("I paid what I may."));

const agent = createAgent({ model, tools: [pay], middleware: [aegisMiddleware(aegis)], checkpointer: new MemorySaver() });
const { messages } = await agent.invoke({ messages: "Pay ACME." }, { configurable: { thread_id: "invoices" } });
for (const message of messages.filter(ToolMessage.isInstance)) {
  console.log(message.status ?? "success", message.content);
}
console.log(messages.at(-1).content);
aegis.close();
