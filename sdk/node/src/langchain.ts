/** LangChain: middleware of an agent. A refused call is a `ToolMessage` that the model reads, and a held one pauses it. */

import { ToolMessage } from "@langchain/core/messages";
import { type AgentMiddleware, createMiddleware } from "langchain";

import type { Aegis } from "./aegis.js";
import { AegisUnavailable } from "./errors.js";
import { type Governance, Governor } from "./governance.js";
import { paused } from "./langgraph.js";

export { resume } from "./langgraph.js";

/**
 * `createAgent({ model, tools, middleware: [aegisMiddleware(aegis)], checkpointer })`.
 *
 * In the list it stands after whatever makes failed calls again: what was refused is then not tried again.
 */
export function aegisMiddleware(aegis: Aegis, governance: Governance = {}): AgentMiddleware {
  const governor = new Governor(aegis, governance);
  return createMiddleware({
    name: "Aegis",
    wrapToolCall: async (request, handler) => {
      const { name, args, id = "" } = request.toolCall;
      const call = { name, args, id, signal: request.runtime?.signal };
      let answer: ToolMessage | undefined;
      const content = await paused(aegis, governor, call, async (given) => {
        const toolCall = { ...request.toolCall, args: given as Record<string, unknown> };
        answer = await handler({ ...request, toolCall });
        return judgedContent(answer, Object.hasOwn(governance.functions ?? {}, name));
      });
      if (content instanceof ToolMessage || answer === undefined || content === answer.content) {
        return content instanceof ToolMessage ? content : (answer as ToolMessage);
      }
      // what the mesh made of the result; an artifact may hold what was redacted
      return new ToolMessage({ content: text(content), tool_call_id: id, name, status: answer.status ?? "success" });
    },
  });
}

/** What of an answer is shown to the mesh where its result is redacted. A `Command` has nothing that could be. */
function judgedContent(answer: unknown, isJudged: boolean): unknown {
  if (answer instanceof ToolMessage) {
    return answer.content;
  }
  if (isJudged) {
    throw new AegisUnavailable("a tool that gives a Command is none whose result could be judged");
  }
  return undefined;
}

function text(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}
