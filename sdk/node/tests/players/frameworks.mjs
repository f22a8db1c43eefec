// Plays the cases with an agent of a framework, whose model is a script and whose one tool calls through the mesh.

import { randomUUID } from "node:crypto";

import { z } from "zod";

import { error, run } from "./script.mjs";

const INPUT = z.object({ path: z.string(), json: z.record(z.string(), z.any()) });
const NAME = { name: "send", description: "Sends something." };
const CANCELLED = { got: { error: "cancelled" }, shown: "" };

/** The tool's function; the framework gives it a signal of its own. */
function sender(playing) {
  return async ({ path, json }, signal = playing.signal) => {
    const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
    let answer;
    for (let tries = playing.tries; tries > 0 && (answer?.status ?? 503) === 503; tries -= 1) {
      const options = { method: "POST", headers, body: JSON.stringify(json), signal };
      answer = await playing.aegis.fetch(playing.base + path, options);
    }
    return answer.json();
  };
}

/** The calls by the turns of the model: all in one, or each in its own. */
function turns({ calls, together }) {
  const named = calls.map((call, index) => ({ id: `call_${index}`, args: call }));
  return together ? [named] : named.map((call) => [call]);
}

/** The model of the AI SDK, which Mastra takes, too. */
async function scripted(playing) {
  const { MockLanguageModelV4 } = await import("ai/test");
  const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };
  const script = turns(playing).map((turn) => ({
    content: turn.map(({ id, args }) => ({ type: "tool-call", toolCallId: id, toolName: "send", input: JSON.stringify(args) })),
    finishReason: { unified: "tool-calls" },
    usage,
    warnings: [],
  }));
  script.push({ content: [{ type: "text", text: "done" }], finishReason: { unified: "stop" }, usage, warnings: [] });
  return new MockLanguageModelV4({ doGenerate: async () => script.shift() });
}

/** What the model was shown last of each call. */
function shownTo(model) {
  const answers = model.doGenerateCalls.at(-1).prompt.filter(({ role }) => role === "tool").flatMap(({ content }) => content);
  return new Map(answers.map(({ toolCallId, output: { value } }) => [toolCallId, typeof value === "string" ? value : JSON.stringify(value)]));
}

const players = {
  langchain: async (playing) => {
    const { aegisMiddleware, resume } = await import("@aegis-authz/agent/langchain");
    const { fakeModel } = await import("@langchain/core/testing");
    const { tool } = await import("@langchain/core/tools");
    const { MemorySaver } = await import("@langchain/langgraph");
    const { AIMessage, createAgent, ToolMessage } = await import("langchain");
    const send = sender(playing);
    const model = turns(playing).reduce(
      (script, turn) => script.respondWithTools(turn.map(({ id, args }) => ({ name: "send", args, id }))),
      fakeModel(),
    );
    const sending = tool(async (args, config) => JSON.stringify(await send(args, config.signal)), { ...NAME, schema: INPUT });
    const agent = createAgent({
      model: model.respond(new AIMessage("done")),
      tools: [sending],
      middleware: [aegisMiddleware(playing.aegis)],
      checkpointer: new MemorySaver(),
    });
    const config = { configurable: { thread_id: "1" }, signal: playing.signal };
    let result = await agent.invoke({ messages: [{ role: "user", content: "go" }] }, config);
    for (let held = result.__interrupt__; held?.length > 0; held = result.__interrupt__) {
      playing.tellHeld(held[0].value.aegis_approval);
      await playing.decision;
      result = await agent.invoke(resume(held), config);
    }
    const answers = new Map(result.messages.filter(ToolMessage.isInstance).map((answer) => [answer.tool_call_id, answer]));
    return playing.calls.map((_, index) => {
      const { status, artifact, content } = answers.get(`call_${index}`);
      if (status !== "error") {
        return { got: { result: JSON.parse(content) }, shown: content };
      }
      const { error: name, reason, retryable, retryAfter } = artifact;
      return { got: { error: name, reason, retryable, ...(retryAfter ? { retry_after: retryAfter } : {}) }, shown: content };
    });
  },
  ai: async (playing) => {
    const { aegisTools } = await import("@aegis-authz/agent/ai");
    const { generateText, isStepCount, tool } = await import("ai");
    const send = sender(playing);
    const model = await scripted(playing);
    const sending = tool({ inputSchema: INPUT, execute: (args, { abortSignal }) => send(args, abortSignal) });
    const governed = aegisTools(playing.aegis, { send: sending }, { onPending: playing.onPending });
    const { signal: abortSignal } = playing;
    const { steps } = await generateText({ model, prompt: "go", ...governed, stopWhen: isStepCount(9), abortSignal });
    const shown = shownTo(model);
    const parts = steps.flatMap(({ content }) => content);
    return playing.calls.map((_, index) => {
      const id = `call_${index}`;
      const part = parts.find(({ type, toolCallId }) => toolCallId === id && ["tool-error", "tool-result"].includes(type));
      return { got: part.type === "tool-error" ? error(part.error) : { result: part.output }, shown: shown.get(id) };
    });
  },
  mastra: async (playing) => {
    const { governed } = await import("@aegis-authz/agent/mastra");
    const { Agent } = await import("@mastra/core/agent");
    const { Mastra } = await import("@mastra/core/mastra");
    const { InMemoryStore } = await import("@mastra/core/storage");
    const { createTool } = await import("@mastra/core/tools");
    const send = sender(playing);
    const model = await scripted(playing);
    const refusals = new Map();
    const onRefusal = (refusal, callId) => refusals.set(callId, refusal);
    const execute = (args, { abortSignal }) => send(args, abortSignal);
    const sending = createTool(governed(playing.aegis, { id: "send", description: "Sends something.", inputSchema: INPUT, execute }, { onRefusal }));
    const player = new Agent({ id: "player", name: "player", instructions: "Send.", model, tools: { send: sending } });
    const agent = new Mastra({ agents: { player }, storage: new InMemoryStore(), logger: false }).getAgent("player");
    let output = await agent.generate("go", { maxSteps: 9, abortSignal: playing.signal });
    while (output.finishReason === "suspended") {
      const { toolCallId, suspendPayload } = output.suspendPayload;
      playing.tellHeld(suspendPayload.aegis_approval);
      await playing.decision;
      output = await agent.resumeGenerate({}, { runId: output.runId, toolCallId, maxSteps: 9 });
    }
    playing.signal.throwIfAborted(); // a run that is given up ends without an error
    const shown = shownTo(model);
    return playing.calls.map((_, index) => {
      const [refusal, text] = [refusals.get(`call_${index}`), shown.get(`call_${index}`)];
      return { got: refusal === undefined ? { result: JSON.parse(text) } : error(refusal), shown: text };
    });
  },
  "openai-agents": async (playing) => {
    const { governed } = await import("@aegis-authz/agent/openai-agents");
    const { Agent, run: runAgent, setTracingDisabled, tool } = await import("@openai/agents");
    const { assistantMessage, functionCall, ScriptedModel } = await import("@openai/agents/testing");
    setTracingDisabled(true);
    const send = sender(playing);
    const refusals = new Map();
    const onRefusal = (refusal, callId) => refusals.set(callId, refusal);
    const parameters = { type: "object", properties: { path: { type: "string" }, json: { type: "object" } }, required: ["path", "json"], additionalProperties: true };
    const execute = (args, _, details) => send(args, details?.signal);
    const governance = { onPending: playing.onPending, onRefusal };
    const sending = tool(governed(playing.aegis, { ...NAME, strict: false, parameters, execute }, governance));
    const script = turns(playing).map((turn) => turn.map(({ id, args }) => functionCall("send", args, { callId: id })));
    const model = new ScriptedModel([...script, [assistantMessage("done")]]);
    const { newItems } = await runAgent(new Agent({ name: "player", model, tools: [sending] }), "go", { signal: playing.signal });
    const items = newItems.filter(({ type }) => type === "tool_call_output_item");
    return playing.calls.map((_, index) => {
      const id = `call_${index}`;
      const { output } = items.find(({ rawItem }) => rawItem.callId === id);
      const text = typeof output === "string" ? output : JSON.stringify(output);
      return { got: refusals.has(id) ? error(refusals.get(id)) : { result: output }, shown: text };
    });
  },
};

await run(async (playing) => {
  try {
    return await players[process.argv[2]](playing);
  } catch (fault) {
    if (!playing.signal.aborted) {
      throw fault;
    }
    return playing.calls.map(() => CANCELLED);
  }
});
