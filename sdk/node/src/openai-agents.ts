/** OpenAI Agents: a refused call is told to the model by a guardrail, a held one interrupts the run (`RunState`). */

import type { Aegis } from "./aegis.js";
import { AegisError, ApprovalNeeded } from "./errors.js";
import { Governor, parsedArguments, report, type ReportedGovernance, type ToolCall } from "./governance.js";

interface FunctionCall {
  readonly callId: string;
  readonly name: string;
  readonly arguments: string;
}

interface GuardrailOutput {
  readonly behavior: { readonly type: "allow" } | { readonly type: "rejectContent"; readonly message: string };
  readonly outputInfo?: unknown;
}

interface Guardrail {
  readonly type: "tool_input";
  readonly name: string;
  readonly run: (data: { readonly toolCall: FunctionCall }) => Promise<GuardrailOutput>;
}

/** What of the options of `tool` is used. */
interface ToolOptions {
  readonly name?: string;
  readonly execute: (input: never, context?: never, details?: never) => unknown;
  readonly needsApproval?: unknown;
  readonly inputGuardrails?: unknown;
}

interface Details {
  readonly toolCall?: { readonly callId?: string };
  readonly signal?: AbortSignal;
}

type Approval = (context: unknown, input: unknown, callId?: string) => boolean | Promise<boolean>;

/**
 * A tool: `tool(governed(aegis, { name: "pay", description, parameters, execute }, { functions: { pay: { tool, action } } }))`.
 *
 * A function is asked about first: only a call that a person must decide interrupts the run. Who approves it in the
 * `RunState` goes on with the call; whether it runs is up to whoever decides in the mesh. What is refused, in a tool that
 * calls through the mesh itself, too, is what the model reads in place of a result: `errorFunction` hears of no refusal.
 * Throws TypeError for a tool without a name.
 */
export function governed<T extends ToolOptions>(aegis: Aegis, options: T, governance: ReportedGovernance = {}): T {
  const governor = new Governor(aegis, governance);
  const name = options.name ?? options.execute.name;
  if (name === "") {
    throw new TypeError("the tool needs a name");
  }
  const own = options.needsApproval ?? false;
  const needsApproval: Approval = async (context, input, callId = "") => {
    const refusal = await governor.ahead({ name, args: input, id: callId });
    return refusal instanceof ApprovalNeeded || (typeof own === "function" ? (own as Approval)(context, input, callId) : own === true);
  };
  const guardrail: Guardrail = {
    type: "tool_input",
    name: "Aegis",
    run: async ({ toolCall }) => {
      const refusal = await refusalAhead(governor, toolCall);
      if (refusal === undefined) {
        return { behavior: { type: "allow" } };
      }
      governance.onRefusal?.(refusal, toolCall.callId);
      return { behavior: { type: "rejectContent", message: refusal.message }, outputInfo: report(refusal) };
    },
  };
  const execute = async (input: unknown, context?: unknown, details?: unknown): Promise<unknown> => {
    const { toolCall, signal } = (details ?? {}) as Details;
    const called = options.execute as (...all: unknown[]) => unknown;
    try {
      const call: ToolCall = { name, args: input, id: toolCall?.callId ?? "", signal };
      return await governor.call(call, (given) => called(given, context, details));
    } catch (fault) {
      if (fault instanceof AegisError) {
        governance.onRefusal?.(fault, toolCall?.callId ?? "");
        return fault.message;
      }
      throw fault;
    }
  };
  const inputGuardrails = [guardrail, ...((options.inputGuardrails ?? []) as unknown[])];
  return { ...options, name, execute, needsApproval, inputGuardrails };
}

async function refusalAhead(governor: Governor, toolCall: FunctionCall): Promise<AegisError | undefined> {
  try {
    const { name, callId: id } = toolCall;
    return await governor.ahead({ name, args: parsedArguments(toolCall.arguments), id });
  } catch (fault) {
    if (fault instanceof AegisError) {
      return fault;
    }
    throw fault;
  }
}
