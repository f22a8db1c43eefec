// OpenAI Agents, whose model is a script: guardrails, interruptions and RunState are its own.

import assert from "node:assert/strict";
import { test } from "node:test";

import { governed } from "@aegis-authz/agent/openai-agents";
import { Agent, run, RunState, setTracingDisabled, tool } from "@openai/agents";
import { assistantMessage, functionCall, ScriptedModel } from "@openai/agents/testing";
import { z } from "zod";

import { deniedContext, heldContext, json, judgingMesh, smallMesh } from "../support.mjs";

setTracingDisabled(true);

const GOVERNANCE = { functions: { pay: { tool: "ledger", action: "create_payment" } } };

function paying(aegis, amounts, execute, governance = GOVERNANCE, isResumed = false) {
  const parameters = z.object({ amount: z.number() });
  const pay = tool(governed(aegis, { name: "pay", description: "Pays.", parameters, execute }, governance));
  const calls = amounts.map((amount) => functionCall("pay", { amount }, { callId: `call_${amount}` }));
  const model = new ScriptedModel(isResumed ? [[assistantMessage("done")]] : [calls, [assistantMessage("done")]]);
  return new Agent({ name: "payer", model, tools: [pay] });
}

const outputs = ({ newItems }) =>
  Object.fromEntries(newItems.filter(({ type }) => type === "tool_call_output_item").map(({ rawItem, output }) => [rawItem.callId, output]));

test("calls side by side are each judged once, and the model reads why one was refused", async (t) => {
  const { aegis, questions, reports } = await judgingMesh(t, ({ args }) => (args.amount > 9 ? deniedContext("Too much.") : { effect: "allow" }));
  const paid = [];
  const refusals = [];
  const governance = { ...GOVERNANCE, onRefusal: ({ name, message }, callId) => refusals.push([name, message, callId]) };
  const result = await run(paying(aegis, [1, 50, 2], ({ amount }) => (paid.push(amount), `paid ${amount}`), governance), "go");
  assert.deepEqual(refusals, [["AegisDenied", "Too much.", "call_50"]]);
  assert.deepEqual(outputs(result), { call_1: "paid 1", call_50: "Too much.", call_2: "paid 2" });
  assert.deepEqual([result.finalOutput, paid.sort(), reports.length], ["done", [1, 2], 2]);
  assert.deepEqual(questions.filter(({ action }) => action.properties.amount < 9).length, 2);
});

test("a held call interrupts the run, also across a restart, and runs only once a person approved it in the mesh", async (t) => {
  const state = { state: "pending", detail: "Nobody has decided yet." };
  let isGranted = false;
  const { aegis, questions } = await judgingMesh(t, () => (isGranted ? { effect: "allow" } : heldContext()), () => state);
  const paid = [];
  const pay = ({ amount }) => (paid.push(amount), `paid ${amount}`);
  const agent = paying(aegis, [50], pay);
  const first = await run(agent, "go");
  assert.equal(first.interruptions.length, 1);
  const kept = first.state.toString();
  first.state.approve(first.interruptions[0]);
  assert.deepEqual(outputs(await run(agent, first.state)), { call_50: "Held." });
  assert.deepEqual([paid, questions.length], [[], 1]);
  [state.state, isGranted] = ["approved", true];
  const again = paying(aegis, [50], pay, GOVERNANCE, true);
  const restored = await RunState.fromString(again, kept);
  restored.approve(restored.getInterruptions()[0]);
  assert.deepEqual(outputs(await run(again, restored)), { call_50: "paid 50" });
  assert.deepEqual(paid, [50]);
});

test("without a mesh the tool is not called, and the model is told", async (t) => {
  const { aegis } = await smallMesh(t, () => undefined, { evaluation: "http://127.0.0.1:1" });
  const result = await run(paying(aegis, [1], () => assert.fail("called")), "go");
  assert.match(outputs(result).call_1, /evaluation endpoint cannot be reached/);
});

test("arguments and result are the redacted ones", async (t) => {
  const obligations = [
    { id: "arguments", type: "redact", properties: { arguments: { amount: 0 } } },
    { id: "result", type: "redact" },
  ];
  const { aegis } = await judgingMesh(t, () => ({ effect: "sanitize", obligations }));
  const result = await run(paying(aegis, [7], ({ amount }) => `${amount} of 078-05-1120`), "go");
  assert.deepEqual(outputs(result), { call_7: "0 of [SSN]" });
});

test("a refusal inside of a tool is told to the model", async (t) => {
  const { aegis } = await smallMesh(t, (_, response) => {
    json(response, 403, { detail: "No." }, { "content-type": "application/problem+json", "x-aegis-decision": "deny" });
  });
  const call = async () => (await aegis.fetch("http://tool.example/pay")).text();
  const refusals = [];
  const governance = { onRefusal: ({ name }, callId) => refusals.push([name, callId]) };
  assert.match(outputs(await run(paying(aegis, [1], call, governance), "go")).call_1, /No\./);
  assert.deepEqual(refusals, [["AegisDenied", "call_1"]]);
});
