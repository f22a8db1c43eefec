// An agent of Mastra pays twice; the second payment is more than policy allows, and the model is told why.
import { Aegis } from "@aegis-authz/agent";
import { governed } from "@aegis-authz/agent/mastra";
import { Agent } from "@mastra/core/agent";
import { createTool } from "@mastra/core/tools";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

const aegis = Aegis.fromEnv();
const options = {
  id: "pay",
  description: "Pay a supplier.",
  inputSchema: z.object({ amount: z.number(), payee: z.string() }),
  execute: async (order) => {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(order) };
    return (await aegis.fetch("http://api.stripe.example/v1/payments", request)).text();
  },
};

// stands for a model: it asks for two payments, and is done
const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
const calls = [4200, 50000].map((amount) => JSON.stringify({ amount, payee: "ACME" }));
const asking = calls.map((input, n) => ({ type: "tool-call", toolCallId: `${n}`, toolName: "pay", input }));
const turns = [asking, [{ type: "text", text: "I paid what I may." }]];
const reasons = ["tool-calls", "stop"];
const model = new MockLanguageModelV4({
  doGenerate: async () => ({ content: turns.shift(), finishReason: { unified: reasons.shift() }, usage, warnings: [] }),
});

const agent = new Agent({ id: "payer", name: "payer", instructions: "Pay.", model, tools: { pay: createTool(governed(aegis, options)) } });
const { text } = await agent.generate("Pay ACME.");
for (const { content } of model.doGenerateCalls.at(-1).prompt.filter(({ role }) => role === "tool")) {
  content.forEach(({ output }) => console.log(output.value));
}
console.log(text);
aegis.close();
