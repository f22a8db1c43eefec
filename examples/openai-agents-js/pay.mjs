// An agent of OpenAI Agents pays twice; the second payment is more than policy allows, and the model is told why.
import { Aegis } from "@aegis-authz/agent";
import { governed } from "@aegis-authz/agent/openai-agents";
import { Agent, run, setTracingDisabled, tool } from "@openai/agents";
import { assistantMessage, functionCall, ScriptedModel } from "@openai/agents/testing";
import { z } from "zod";

setTracingDisabled(true);
const aegis = Aegis.fromEnv();
const options = {
  name: "pay",
  description: "Pay a supplier.",
  parameters: z.object({ amount: z.number(), payee: z.string() }),
  execute: async (order) => {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(order) };
    return (await aegis.fetch("http://api.stripe.example/v1/payments", request)).text();
  },
};

// stands for a model: it asks for two payments, and is done
const calls = [4200, 50000].map((amount) => functionCall("pay", { amount, payee: "ACME" }, { callId: `${amount}` }));
const model = new ScriptedModel([calls, [assistantMessage("I paid what I may.")]]);

const agent = new Agent({ name: "payer", model, tools: [tool(governed(aegis, options))] });
const { newItems, finalOutput } = await run(agent, "Pay ACME.");
for (const { output } of newItems.filter(({ type }) => type === "tool_call_output_item")) {
  console.log(output);
}
console.log(finalOutput);
aegis.close();
