// Agents of LangChain and graphs of LangGraph, whose model is a script.

import assert from "node:assert/strict";
import { test } from "node:test";

import { aegisMiddleware, resume } from "@aegis-authz/agent/langchain";
import { governed } from "@aegis-authz/agent/langgraph";
import { fakeModel } from "@langchain/core/testing";
import { tool } from "@langchain/core/tools";
import { MemorySaver, MessagesAnnotation, Send, START, StateGraph } from "@langchain/langgraph";
import { ToolNode } from "@langchain/langgraph/prebuilt";
import { AIMessage, createAgent, ToolMessage } from "langchain";
import { z } from "zod";

import { deniedContext, heldContext, json, judgingMesh, smallMesh } from "../support.mjs";

const CONFIG = { configurable: { thread_id: "1" } };
const PAY = { name: "pay", description: "Pays.", schema: z.object({ amount: z.number() }) };
const GOVERNANCE = { functions: { pay: { tool: "ledger", action: "create_payment" } } };
const START_STATE = { messages: [{ role: "user", content: "go" }] };

/** A tool that notes what it was called with. */
function ledger() {
  const paid = [];
  return { paid, pay: ({ amount }) => (paid.push(amount), `paid ${amount}`) };
}

function script(amounts) {
  const calls = amounts.map((amount) => ({ name: "pay", args: { amount }, id: `call_${amount}` }));
  return fakeModel().respondWithTools(calls).respond(new AIMessage("done"));
}

function agent(aegis, amounts, called, governance = GOVERNANCE) {
  const middleware = [aegisMiddleware(aegis, governance)];
  return createAgent({ model: script(amounts), tools: [tool(called, PAY)], middleware, checkpointer: new MemorySaver() });
}

/** A graph without agents: a model, and a node of tools that each call is sent to. */
function graph(aegis, amounts, called, governance = GOVERNANCE) {
  const model = script(amounts);
  const node = new ToolNode([tool(governed(aegis, "pay", called, governance), PAY)]);
  return new StateGraph(MessagesAnnotation)
    .addNode("model", async (state) => ({ messages: [await model.invoke(state.messages)] }))
    .addNode("tools", node)
    .addEdge(START, "model")
    .addConditionalEdges("model", ({ messages }) => {
      const calls = messages.at(-1).tool_calls ?? [];
      return calls.length === 0 ? "__end__" : calls.map((call) => new Send("tools", { messages: [new AIMessage({ content: "", tool_calls: [call] })] }));
    })
    .addEdge("tools", "model")
    .compile({ checkpointer: new MemorySaver() });
}

const answers = ({ messages }) => messages.filter(ToolMessage.isInstance);

for (const [kind, make] of Object.entries({ agent, graph })) {
  test(`${kind}: calls side by side are each judged, and the model reads why one was refused`, async (t) => {
    const { aegis, questions, reports } = await judgingMesh(t, ({ args }) => (args.amount > 9 ? deniedContext("Too much.") : { effect: "allow" }));
    const { paid, pay } = ledger();
    const result = await make(aegis, [1, 50, 2], pay).invoke(START_STATE, CONFIG);
    const texts = answers(result).map(({ content, status }) => [content, status === "error"]);
    assert.deepEqual(texts, [["paid 1", false], ["Too much.", true], ["paid 2", false]]);
    assert.deepEqual([paid.sort(), questions.length, reports.length], [[1, 2], 3, 2]);
    const { artifact } = answers(result)[1];
    assert.deepEqual([artifact.error, artifact.reason, artifact.retryable], ["AegisDenied", "POLICY_DENIED", false]);
  });

  test(`${kind}: a held call pauses the graph, and runs once when a person approved it`, async (t) => {
    const state = { state: "pending", detail: "Nobody has decided yet." };
    let isGranted = false;
    const { aegis, questions } = await judgingMesh(t, ({ args }) => (args.amount < 9 || isGranted ? { effect: "allow" } : heldContext()), () => state);
    const { paid, pay } = ledger();
    const running = make(aegis, [1, 50], pay);
    const first = await running.invoke(START_STATE, CONFIG);
    assert.deepEqual([paid, first.__interrupt__.length], [[1], 1]);
    const { value } = first.__interrupt__[0];
    assert.deepEqual([value.type, value.aegis_approval, value.args], ["tool_approval", "apr_1", { amount: 50 }]);
    const second = await running.invoke(resume(first.__interrupt__), CONFIG);
    assert.deepEqual([paid, second.__interrupt__.length, questions.length], [[1], 1, 2], "it pauses again while nobody has decided");
    [state.state, isGranted] = ["approved", true];
    const last = await running.invoke(resume(second.__interrupt__), CONFIG);
    assert.deepEqual(answers(last).map(({ content }) => content), ["paid 1", "paid 50"]);
    assert.deepEqual([paid, questions.length], [[1, 50], 3]);
  });

  test(`${kind}: what a person denied is not called, and nobody is asked again`, async (t) => {
    const { aegis, questions } = await judgingMesh(t, () => heldContext(), () => ({ state: "denied", detail: "It was denied." }));
    const { paid, pay } = ledger();
    const running = make(aegis, [50], pay);
    const first = await running.invoke(START_STATE, CONFIG);
    const [answer] = answers(await running.invoke(resume(first.__interrupt__), CONFIG));
    assert.deepEqual([answer.content, answer.artifact.reason], ["Approval apr_1: It was denied.", "APPROVAL_DENIED"]);
    assert.deepEqual([paid, questions.length], [[], 1]);
  });

  test(`${kind}: without a mesh the tool is not called`, async (t) => {
    const { aegis } = await smallMesh(t, () => undefined, { evaluation: "http://127.0.0.1:1" });
    const { paid, pay } = ledger();
    const [answer] = answers(await make(aegis, [1], pay).invoke(START_STATE, CONFIG));
    assert.match(answer.content, /evaluation endpoint cannot be reached/);
    assert.deepEqual([paid, answer.artifact.error], [[], "AegisUnavailable"]);
  });

  test(`${kind}: arguments and result are the redacted ones`, async (t) => {
    const redactions = [
      { id: "arguments", type: "redact", properties: { arguments: { amount: 0 } } },
      { id: "result", type: "redact" },
    ];
    const { aegis } = await judgingMesh(t, () => ({ effect: "sanitize", obligations: redactions }));
    const [answer] = answers(await make(aegis, [7], ({ amount }) => `${amount} of 078-05-1120`).invoke(START_STATE, CONFIG));
    assert.deepEqual([answer.content, answer.status === "error"], ["0 of [SSN]", false]);
  });

  test(`${kind}: a refusal inside of a tool is told as well, and another error is the tool's own`, async (t) => {
    const { aegis } = await smallMesh(t, (_, response) => {
      json(response, 403, { detail: "No." }, { "content-type": "application/problem+json", "x-aegis-decision": "deny" });
    });
    const call = async () => (await aegis.fetch("http://tool.example/pay")).text();
    const [answer] = answers(await make(aegis, [1], call, {}).invoke(START_STATE, CONFIG));
    assert.deepEqual([answer.content, answer.status], ["No.", "error"]);
    if (kind === "agent") {
      const broken = make(aegis, [1], () => Promise.reject(new Error("mine")), {});
      await assert.rejects(broken.invoke(START_STATE, CONFIG), /mine/);
    }
  });
}
