// The AI SDK, whose model is a script: denials and approval requests are its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { aegisTools } from "@aegis-authz/agent/ai";
import { generateText, isStepCount, tool } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

import { deniedContext, heldContext, json, judgingMesh, smallMesh } from "../support.mjs";

const GOVERNANCE = { functions: { pay: { tool: "ledger", action: "create_payment" } } };
const USAGE = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };

/** A model that calls the tool for each amount in one turn, and is done then. */
function script(amounts) {
  const calls = amounts.map((amount) => ({ type: "tool-call", toolCallId: `call_${amount}`, toolName: "pay", input: JSON.stringify({ amount }) }));
  const isAnswered = ({ prompt }) => prompt.some(({ role }) => role === "tool");
  return new MockLanguageModelV4({
    doGenerate: async (options) => ({
      content: isAnswered(options) ? [{ type: "text", text: "done" }] : calls,
      finishReason: { unified: isAnswered(options) ? "stop" : "tool-calls", raw: undefined },
      usage: USAGE,
      warnings: [],
    }),
  });
}

function paying(aegis, execute, governance = GOVERNANCE) {
  return aegisTools(aegis, { pay: tool({ inputSchema: z.object({ amount: z.number() }), execute }) }, governance);
}

const shown = (model) => JSON.stringify(model.doGenerateCalls.at(-1).prompt.filter(({ role }) => role === "tool"));

test("calls side by side are each judged once, and the model reads why one was refused", async (t) => {
  const { aegis, questions, reports } = await judgingMesh(t, ({ args }) => (args.amount > 9 ? deniedContext("Too much.") : { effect: "allow" }));
  const paid = [];
  const model = script([1, 50, 2]);
  const governed = paying(aegis, ({ amount }) => (paid.push(amount), `paid ${amount}`));
  const { text } = await generateText({ model, prompt: "go", ...governed, stopWhen: isStepCount(3) });
  assert.deepEqual([text, paid.sort(), questions.length], ["done", [1, 2], 3]);
  assert.deepEqual(reports.map(({ outcome }) => outcome), ["done", "done"]);
  assert.match(shown(model), /paid 1.*Too much\..*paid 2|Too much\./);
});

test("a held call asks for approval, and runs only once a person approved it in the mesh", async (t) => {
  const state = { state: "pending", detail: "Nobody has decided yet." };
  let isGranted = false;
  const { aegis, questions } = await judgingMesh(t, () => (isGranted ? { effect: "allow" } : heldContext()), () => state);
  const paid = [];
  const governed = paying(aegis, ({ amount }) => (paid.push(amount), `paid ${amount}`));
  const messages = [{ role: "user", content: "go" }];
  const first = await generateText({ model: script([50]), messages, ...governed, stopWhen: isStepCount(3) });
  const [request] = first.content.filter(({ type }) => type === "tool-approval-request");
  assert.equal(request.reason, "Held.");
  assert.deepEqual(paid, []);
  messages.push(...first.response.messages);
  messages.push({ role: "tool", content: [{ type: "tool-approval-response", approvalId: request.approvalId, approved: true }] });
  const early = script([50]);
  await generateText({ model: early, messages, ...governed, stopWhen: isStepCount(3) });
  assert.deepEqual([paid, questions.length], [[], 1]);
  assert.match(shown(early), /Held\./);
  [state.state, isGranted] = ["approved", true];
  const late = script([50]);
  await generateText({ model: late, messages, ...governed, stopWhen: isStepCount(3) });
  assert.deepEqual([paid, questions.length], [[50], 2]);
  assert.match(shown(late), /paid 50/);
});

test("without a mesh the tool is not called, and the model is told", async (t) => {
  const { aegis } = await smallMesh(t, () => undefined, { evaluation: "http://127.0.0.1:1" });
  const model = script([1]);
  const governed = paying(aegis, () => assert.fail("called"));
  await generateText({ model, prompt: "go", ...governed, stopWhen: isStepCount(3) });
  assert.match(shown(model), /evaluation endpoint cannot be reached/);
});

test("arguments and result are the redacted ones, of a tool that streams, too", async (t) => {
  const obligations = [
    { id: "arguments", type: "redact", properties: { arguments: { amount: 0 } } },
    { id: "result", type: "redact" },
  ];
  const { aegis } = await judgingMesh(t, () => ({ effect: "sanitize", obligations }));
  const model = script([7]);
  const governed = paying(aegis, async function* ({ amount }) {
    yield "so far 078-05-1120";
    yield `${amount} of 078-05-1120`;
  });
  await generateText({ model, prompt: "go", ...governed, stopWhen: isStepCount(3) });
  assert.match(shown(model), /0 of \[SSN\]/);
  assert.doesNotMatch(shown(model), /078/);
});

test("a refusal inside of a tool is its error, and what runs elsewhere cannot be governed", async (t) => {
  const { aegis } = await smallMesh(t, (_, response) => {
    json(response, 403, { detail: "No." }, { "content-type": "application/problem+json", "x-aegis-decision": "deny" });
  });
  const model = script([1]);
  const governed = paying(aegis, async () => (await aegis.fetch("http://tool.example/pay")).text(), {});
  await generateText({ model, prompt: "go", ...governed, stopWhen: isStepCount(3) });
  assert.match(shown(model), /No\./);
  assert.throws(() => paying(aegis, undefined), /is not executed here/);
});

test("leave for a call is none for another tool, though the model gave both calls one id", async (t) => {
  const { aegis } = await judgingMesh(t, ({ action }) => (action === "look" ? { effect: "allow" } : deniedContext("No.")));
  const inputSchema = z.object({ amount: z.number() });
  const named = { look: tool({ inputSchema, execute: () => "looked" }), pay: tool({ inputSchema, execute: () => assert.fail("called") }) };
  const functions = { look: { tool: "ledger", action: "look" }, pay: { tool: "ledger", action: "pay" } };
  const { tools, toolApproval } = aegisTools(aegis, named, { functions });
  const asked = (toolName) => toolApproval({ toolCall: { toolName, toolCallId: "call_1", input: { amount: 1 } } });
  assert.equal(await asked("look"), undefined);
  assert.deepEqual(await asked("pay"), { type: "denied", reason: "No." });
  await assert.rejects(tools.pay.execute({ amount: 1 }, { toolCallId: "call_1" }), /No\./);
  assert.equal(await tools.look.execute({ amount: 1 }, { toolCallId: "call_1" }), "looked");
});
