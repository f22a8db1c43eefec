/** Vercel's AI SDK: a refused call is a denial that the model reads, a held one an approval request (`toolApproval`). */

import type { Aegis } from "./aegis.js";
import { ApprovalNeeded } from "./errors.js";
import { type Governance, Governor } from "./governance.js";

/** As of the AI SDK (7). */
export type ToolApproval =
  | undefined
  | { readonly type: "denied"; readonly reason: string }
  | { readonly type: "user-approval"; readonly reason: string };

interface AskedCall {
  readonly toolCall: { readonly toolName: string; readonly toolCallId: string; readonly input: unknown };
}

interface ExecuteOptions {
  readonly toolCallId: string;
  readonly abortSignal?: AbortSignal;
}

type Execute = (input: unknown, options: ExecuteOptions) => unknown;

/** What goes into `generateText`, `streamText` or a `ToolLoopAgent`. */
export interface AegisTools<T> {
  readonly tools: T;
  readonly toolApproval: (options: AskedCall) => Promise<ToolApproval>;
}

/**
 * `generateText({ model, prompt, ...aegisTools(aegis, tools, { functions: { pay: { tool: "ledger", action: "pay" } } }) })`.
 *
 * The functions are judged before they run: `toolApproval` says what the mesh says. Who answers an approval request goes
 * on with the call; whether it runs is up to whoever decides in the mesh. Of tools that call through the mesh themselves,
 * a refusal is the error of the tool. Throws TypeError for a function that is not executed here.
 */
export function aegisTools<T extends Record<string, object>>(
  aegis: Aegis,
  tools: T,
  governance: Governance = {},
): AegisTools<T> {
  const governor = new Governor(aegis, governance);
  const governed = Object.entries(tools).map(([name, tool]) => [name, governedTool(governor, name, tool, governance)]);
  const toolApproval = async ({ toolCall }: AskedCall): Promise<ToolApproval> => {
    const { toolName: name, toolCallId: id, input: args } = toolCall;
    const refusal = await governor.ahead({ name, args, id });
    if (refusal === undefined) {
      return undefined;
    }
    return { type: refusal instanceof ApprovalNeeded ? "user-approval" : "denied", reason: refusal.message };
  };
  return { tools: Object.fromEntries(governed) as T, toolApproval };
}

function governedTool(governor: Governor, name: string, tool: object, governance: Governance): object {
  const { execute } = tool as { execute?: Execute };
  if (execute === undefined) {
    if (Object.hasOwn(governance.functions ?? {}, name)) {
      throw new TypeError(`${name} is not executed here, so that it cannot be kept from running`);
    }
    return tool;
  }
  const governed: Execute = (args, options) => {
    const call = { name, args, id: options.toolCallId, signal: options.abortSignal };
    return governor.call(call, async (given) => last(await execute.call(tool, given, options)));
  };
  return { ...tool, execute: governed };
}

/** Of a tool that gives what it has so far, and more later, the last is the result. */
async function last(result: unknown): Promise<unknown> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) {
    return result;
  }
  let latest: unknown;
  for await (const value of result as AsyncIterable<unknown>) {
    latest = value;
  }
  return latest;
}
