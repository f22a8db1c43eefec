// The AI SDK pays twice; the second payment is more than policy allows, and the model is told why.
import { Aegis } from "@aegis-authz/agent";
import { aegisTools } from "@aegis-authz/agent/ai";
import { generateText, isStepCount, tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

const aegis = Aegis.fromEnv();
const pay = tool({
  description: "Pay a supplier.",
  inputSchema: z.object({ amount: z.number(), payee: z.string() }),
  execute: async (order) => {
    const headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(order) };
    return (await aegis.fetch("http://api.stripe.example/v1/payments", request)).text();
  },
});

// stands for a model: it asks for two payments, and is done
const calls = [4200, 50000].map((amount) => ({
  ...{ type: "tool-call", toolCallId: `${amount}`, toolName: "pay" },
  input: JSON.stringify({ amount, payee: "ACME" }),
}));
const turns = [calls, [{ type: "text", text: "I paid what I may." }]].map((content, index) => ({
  content,
  finishReason: { unified: index === 0 ? "tool-calls" : "stop" },
  usage: { inputTokens: {}, outputTokens: {} },
  warnings: [],
}));
const model = new MockLanguageModelV4({ doGenerate: async () => turns.shift() });

const { steps, text } = await generateText({ model, prompt: "Pay.", ...aegisTools(aegis, { pay }), stopWhen: isStepCount(3) });
for (const part of steps[0].content.filter(({ type }) => type === "tool-result" || type === "tool-error")) {
  console.log(part.type, part.output ?? part.error.message);
}
console.log(text);
aegis.close();
