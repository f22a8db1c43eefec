/** LangGraph: a refused call is a message that the model reads, and a held one pauses the graph (`interrupt`). */

import { ToolMessage } from "@langchain/core/messages";
import { Command, getConfig, interrupt } from "@langchain/langgraph";

import { type Aegis, partsOf } from "./aegis.js";
import { AegisError, ApprovalNeeded, endedApproval } from "./errors.js";
import { type Governance, Governor, report, type ToolCall } from "./governance.js";

/** The member of a resume value that names the approval which was waited for. */
const APPROVAL = "aegis_approval";
/** Of LangGraph: there is no public way to see a resume value without pausing. */
const SCRATCHPAD = "__pregel_scratchpad";

interface Scratchpad {
  readonly resume?: unknown[];
  readonly nullResume?: unknown;
}

/** What LangGraph gives a tool besides its arguments. */
interface ToolConfig {
  readonly toolCall?: { readonly id?: string };
  readonly signal?: AbortSignal;
}

/** A function for `tool(governed(aegis, "pay", pay), { name: "pay", schema })` in a graph with a checkpointer. */
export function governed<A>(
  aegis: Aegis,
  name: string,
  called: (args: A, config: never) => unknown,
  governance: Governance = {},
): (args: A, config?: unknown) => Promise<unknown> {
  const governor = new Governor(aegis, governance);
  return (args, config) => {
    const { toolCall, signal } = (config ?? {}) as ToolConfig;
    const call = { name, args, id: toolCall?.id ?? "", signal };
    return paused(aegis, governor, call, (given) => called(given as A, config as never));
  };
}

/**
 * Goes on with the calls that these interrupts hold, in whichever process: `graph.invoke(resume(result.__interrupt__), config)`.
 *
 * Who decided is asked of the mesh: a call that nobody has decided yet pauses again. Interrupts of others are left out.
 */
export function resume(interrupts: Iterable<{ readonly id?: string; readonly value?: unknown }>): Command {
  const values: Record<string, unknown> = {};
  for (const { id, value } of interrupts) {
    const approvalId = approvalOf(value);
    if (id !== undefined && approvalId !== undefined) {
      values[id] = { [APPROVAL]: approvalId };
    }
  }
  return new Command({ resume: values });
}

/**
 * The result of the call, or the message that says why there is none. Pauses the graph while a person decides.
 *
 * @internal
 */
export async function paused<R>(
  aegis: Aegis,
  governor: Governor,
  call: ToolCall,
  run: (args: unknown) => R | Promise<R>,
): Promise<R | ToolMessage> {
  try {
    const [approvalId] = governor.waits ? [] : resumed().slice(-1);
    if (approvalId !== undefined) {
      await requireGranted(aegis, approvalId, call);
    }
    return await governor.call(call, run);
  } catch (fault) {
    if (fault instanceof ApprovalNeeded && !governor.waits) {
      pause(call, fault.message, fault.approvalId, fault.expiresAt);
    }
    if (fault instanceof AegisError) {
      return message(fault, call);
    }
    throw fault;
  }
}

function message(error: AegisError, { id, name }: ToolCall): ToolMessage {
  return new ToolMessage({ content: error.message, tool_call_id: id, name, status: "error", artifact: report(error) });
}

/** In the shape of LangChain's own approvals (`ToolApprovalRequest`), so that pages show it. */
function pause({ id, name, args }: ToolCall, description: string, approvalId: string, expiresAt?: number): void {
  const request = { type: "tool_approval", tool_call_id: id, name, args, description };
  interrupt({ ...request, [APPROVAL]: approvalId, ...(expiresAt === undefined ? {} : { expires_at: expiresAt }) });
}

/** The approvals that this call was paused for, each resumed: a call that was denied is not asked about anew. */
function resumed(): string[] {
  const { resume: values = [], nullResume } = (getConfig()?.configurable?.[SCRATCHPAD] ?? {}) as Scratchpad;
  const approvals: string[] = [];
  for (const value of values.length === 0 && nullResume !== undefined ? [nullResume] : [...values]) {
    const approvalId = approvalOf(value);
    if (approvalId === undefined) {
      break; // of an interrupt of the tool itself, which asks for it
    }
    interrupt(null); // takes the value
    approvals.push(approvalId);
  }
  return approvals;
}

function approvalOf(value: unknown): string | undefined {
  const approvalId = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[APPROVAL] : undefined;
  return typeof approvalId === "string" ? approvalId : undefined;
}

/** Rejects with AegisDenied for what a person denied, and pauses again while nobody has decided. */
async function requireGranted(aegis: Aegis, approvalId: string, call: ToolCall): Promise<void> {
  const standing = await partsOf(aegis).mesh.standing(approvalId);
  if (standing.state === "pending") {
    pause(call, standing.sentence, approvalId);
  } else if (standing.state !== "approved") {
    throw endedApproval(approvalId, standing, "", 0);
  }
}
