// Mastra, whose model is a script: tools, suspended runs and their storage are its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { governed } from "@aegis-authz/agent/mastra";
import { Agent } from "@mastra/core/agent";
import { Mastra } from "@mastra/core/mastra";
import { InMemoryStore } from "@mastra/core/storage";
import { createTool } from "@mastra/core/tools";
import { MockLanguageModelV4 } from "ai/test";
import { z } from "zod";

import { deniedContext, heldContext, json, judgingMesh, smallMesh } from "../support.mjs";

const GOVERNANCE = { functions: { pay: { tool: "ledger", action: "create_payment" } } };
const USAGE = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };

/** An agent that asks for payments in one turn and is done, and what its model is shown of each. */
function paying(aegis, amounts, execute, governance = GOVERNANCE, storage = new InMemoryStore()) {
  const inputSchema = z.object({ amount: z.number() });
  const pay = createTool(governed(aegis, { id: "pay", description: "Pays.", inputSchema, execute }, governance));
  const calls = amounts.map((amount) => ({ type: "tool-call", toolCallId: `call_${amount}`, toolName: "pay", input: JSON.stringify({ amount }) }));
  const turns = [...(calls.length > 0 ? [calls] : []), [{ type: "text", text: "done" }]];
  const doGenerate = async () => {
    const content = turns.shift();
    return { content, finishReason: { unified: content === calls ? "tool-calls" : "stop" }, usage: USAGE, warnings: [] };
  };
  const model = new MockLanguageModelV4({ doGenerate });
  const agent = new Agent({ id: "payer", name: "payer", instructions: "Pay.", model, tools: { pay } });
  const shown = () => {
    const answers = model.doGenerateCalls.at(-1).prompt.filter(({ role }) => role === "tool").flatMap(({ content }) => content);
    return Object.fromEntries(answers.map(({ toolCallId, output }) => [toolCallId, output.value]));
  };
  return { agent: new Mastra({ agents: { agent }, storage, logger: false }).getAgent("agent"), shown };
}

test("calls side by side are each judged once, and the model reads why one was refused", async (t) => {
  const { aegis, questions, reports } = await judgingMesh(t, ({ args }) => (args.amount > 9 ? deniedContext("Too much.") : { effect: "allow" }));
  const [paid, refusals] = [[], []];
  const governance = { ...GOVERNANCE, onRefusal: ({ name, message }, callId) => refusals.push([name, message, callId]) };
  const { agent, shown } = paying(aegis, [1, 50, 2], ({ amount }) => (paid.push(amount), `paid ${amount}`), governance);
  assert.equal((await agent.generate("go")).text, "done");
  assert.deepEqual(shown(), { call_1: "paid 1", call_50: "Too much.", call_2: "paid 2" });
  assert.deepEqual(refusals, [["AegisDenied", "Too much.", "call_50"]]);
  assert.deepEqual([paid.sort(), questions.length, reports.length], [[1, 2], 3, 2]);
});

test("a held call suspends the run, also across a restart, and runs only once a person approved it in the mesh", async (t) => {
  const state = { state: "pending", detail: "Nobody has decided yet." };
  let isGranted = false;
  const { aegis, questions } = await judgingMesh(t, () => (isGranted ? { effect: "allow" } : heldContext()), () => state);
  const [paid, storage] = [[], new InMemoryStore()];
  const pay = ({ amount }, { agent }) => (paid.push([amount, agent.resumeData]), `paid ${amount}`);
  const { agent } = paying(aegis, [50], pay, GOVERNANCE, storage);
  const first = await agent.generate("go");
  assert.equal(first.finishReason, "suspended");
  assert.equal(first.suspendPayload.suspendPayload.aegis_approval, "apr_1");
  const call = { runId: first.runId, toolCallId: first.suspendPayload.toolCallId };
  const undecided = await agent.resumeGenerate({}, call);
  assert.equal(undecided.suspendPayload.suspendPayload.description, "Nobody has decided yet.");
  assert.deepEqual([undecided.finishReason, paid, questions.length], ["suspended", [], 1]);
  [state.state, isGranted] = ["approved", true];
  const again = paying(aegis, [], pay, GOVERNANCE, storage); // another process has but the storage
  assert.equal((await again.agent.resumeGenerate({}, call)).text, "done");
  assert.deepEqual([again.shown(), paid], [{ call_50: "paid 50" }, [[50, undefined]]]);
});

test("what a person denied is not called, nor asked about anew", async (t) => {
  const state = { state: "denied", detail: "It was denied." };
  const { aegis, questions } = await judgingMesh(t, () => heldContext(), () => state);
  const { agent, shown } = paying(aegis, [50], () => assert.fail("called"));
  const first = await agent.generate("go");
  await agent.resumeGenerate({}, { runId: first.runId, toolCallId: first.suspendPayload.toolCallId });
  assert.match(shown().call_50, /^Approval apr_1: It was denied\./);
  assert.equal(questions.length, 1);
});

test("what a person denied stands in the way of no other call, of the same name, too", async (t) => {
  const judge = ({ args }) => (args.amount > 9 ? heldContext() : { effect: "allow" });
  const { aegis } = await judgingMesh(t, judge, () => ({ state: "denied", detail: "It was denied." }));
  const { execute } = governed(aegis, { id: "pay", execute: ({ amount }) => `paid ${amount}` }, GOVERNANCE);
  const context = { agent: { toolCallId: "call_0" } };
  await assert.rejects(execute({ amount: 50 }, context), { name: "ApprovalNeeded" });
  await assert.rejects(execute({ amount: 50 }, context), /It was denied/);
  assert.equal(await execute({ amount: 5 }, context), "paid 5");
});

test("without a mesh the tool is not called, and the model is told", async (t) => {
  const { aegis } = await smallMesh(t, () => undefined, { evaluation: "http://127.0.0.1:1" });
  const { agent, shown } = paying(aegis, [1], () => assert.fail("called"));
  await agent.generate("go");
  assert.match(shown().call_1, /evaluation endpoint cannot be reached/);
});

test("arguments and result are the redacted ones", async (t) => {
  const obligations = [
    { id: "arguments", type: "redact", properties: { arguments: { amount: 0 } } },
    { id: "result", type: "redact" },
  ];
  const { aegis } = await judgingMesh(t, () => ({ effect: "sanitize", obligations }));
  const { agent, shown } = paying(aegis, [7], ({ amount }) => `${amount} of 078-05-1120`);
  await agent.generate("go");
  assert.deepEqual(shown(), { call_7: "0 of [SSN]" });
});

test("a refusal inside of a tool is told to the model", async (t) => {
  const { aegis } = await smallMesh(t, (_, response) => {
    json(response, 403, { detail: "No." }, { "content-type": "application/problem+json", "x-aegis-decision": "deny" });
  });
  const { agent, shown } = paying(aegis, [1], async () => (await aegis.fetch("http://tool.example/pay")).text(), {});
  await agent.generate("go");
  assert.equal(shown().call_1, "No.");
});

test("a tool that could not be kept from running, or could not be suspended, is none", async (t) => {
  const { aegis } = await smallMesh(t, () => undefined);
  assert.throws(() => governed(aegis, { id: "pay" }), TypeError);
  const own = { id: "pay", execute: () => "paid", suspendSchema: z.object({ question: z.string() }) };
  assert.throws(() => governed(aegis, own), TypeError);
  assert.equal(governed(aegis, own, { waits: true }).id, "pay");
});
