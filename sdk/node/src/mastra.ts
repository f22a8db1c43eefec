/** Mastra: a refused call is the error of its tool, which the model reads; a held one suspends the run. */

import { type Aegis, partsOf } from "./aegis.js";
import { AegisError, ApprovalNeeded, endedApproval } from "./errors.js";
import { Governor, type ReportedGovernance, type ToolCall } from "./governance.js";

/** The member of a suspended call's payload that names the approval which is waited for. */
const APPROVAL = "aegis_approval";

/** What of the options of `createTool` is used. */
interface ToolOptions {
  readonly id: string;
  readonly execute?: (input: never, context: never) => unknown;
  readonly suspendSchema?: unknown;
}

/** What Mastra gives a tool that an agent calls. */
interface AgentContext {
  readonly toolCallId?: string;
  readonly suspend?: (payload: unknown) => Promise<unknown>;
  readonly suspendPayload?: unknown;
}

interface Context {
  readonly agent?: AgentContext;
  readonly abortSignal?: AbortSignal;
}

/**
 * A tool of an agent: `createTool(governed(aegis, { id: "pay", description, inputSchema, execute }, { functions: { pay: { tool, action } } }))`.
 *
 * A held call suspends the run; `agent.resumeGenerate({}, { runId, toolCallId })` goes on, in whichever process, and the
 * call is made only if somebody approved it in the mesh. What is refused, inside of a tool that calls through the mesh,
 * too, is thrown: the model reads its sentence. A run that cannot be suspended (a tool in a workflow, or called by
 * itself) throws for a held call as well. Throws TypeError for a tool that is not executed here, or that has a
 * `suspendSchema`, which would refuse the payload: what waits in place may have one.
 */
export function governed<T extends ToolOptions>(aegis: Aegis, options: T, governance: ReportedGovernance = {}): T {
  const governor = new Governor(aegis, governance);
  const called = options.execute as ((...all: unknown[]) => unknown) | undefined;
  if (called === undefined) {
    throw new TypeError(`${options.id} is not executed here, so that it cannot be kept from running`);
  }
  if (options.suspendSchema !== undefined && !governor.waits) {
    throw new TypeError(`${options.id} has a suspendSchema of its own, to which no payload of ours is known`);
  }
  const execute = async (input: unknown, context?: unknown): Promise<unknown> => {
    const { agent, abortSignal: signal } = (context ?? {}) as Context;
    const call: ToolCall = { name: options.id, args: input, id: agent?.toolCallId ?? "", signal };
    const suspend = governor.waits ? undefined : agent?.suspend;
    try {
      const approvalId = suspend === undefined ? undefined : approvalOf(agent?.suspendPayload);
      if (suspend !== undefined && approvalId !== undefined) {
        const standing = await partsOf(aegis).mesh.standing(approvalId);
        if (standing.state === "pending") {
          return await suspend({ description: standing.sentence, [APPROVAL]: approvalId });
        }
        if (standing.state !== "approved") {
          throw endedApproval(approvalId, standing, "", 0);
        }
      }
      const given = approvalId === undefined ? context : unresumed(context as Context);
      return await governor.call(call, (args) => called.call(options, args, given));
    } catch (fault) {
      if (fault instanceof ApprovalNeeded && suspend !== undefined) {
        const { message: description, approvalId, expiresAt } = fault;
        return suspend({ description, [APPROVAL]: approvalId, expires_at: expiresAt });
      }
      if (fault instanceof AegisError) {
        governance.onRefusal?.(fault, call.id);
      }
      throw fault;
    }
  };
  return { ...options, execute };
}

/** The context without the pause that was ours: the tool did not suspend itself. */
function unresumed(context: Context): Context {
  return { ...context, agent: { ...context.agent, suspendPayload: undefined, resumeData: undefined } as AgentContext };
}

function approvalOf(payload: unknown): string | undefined {
  const approvalId = typeof payload === "object" && payload !== null ? (payload as Record<string, unknown>)[APPROVAL] : undefined;
  return typeof approvalId === "string" ? approvalId : undefined;
}
