/** What all adapters of frameworks share: a tool call is made, waits, or ends with an error that the model can read. */

import { type Aegis, partsOf } from "./aegis.js";
import { AegisDenied, AegisError, AegisUnavailable, ApprovalNeeded, type PendingOptions, refusalOf } from "./errors.js";
import type { Evaluation, FunctionName, Permit } from "./evaluation.js";
import { finished } from "./functions.js";

/** How the tools of a framework are governed. */
export interface Governance extends PendingOptions {
  /**
   * The tools that are plain functions, by their names in the framework: each call of them is judged by what it is in the
   * catalogue. All other tools call through the mesh themselves, with a client of `aegis`.
   */
  readonly functions?: Readonly<Record<string, FunctionName>>;
  /** Wait in place while a person decides, in the way of no framework. With `onPending` it does. */
  readonly waits?: boolean;
}

/** How tools are governed in a framework that has but the text of a refusal, and who hears of it. */
export interface ReportedGovernance extends Governance {
  /** Is told of each call that was refused, by the name that the model gave the call. */
  readonly onRefusal?: (refusal: AegisError, callId: string) => void;
}

/** One call of a tool by a model. */
export interface ToolCall {
  readonly name: string;
  readonly args: unknown;
  /** By which the framework knows the call, "" where it has no such name. */
  readonly id: string;
  readonly signal?: AbortSignal | undefined;
}

/** Seconds that leave to call a function is kept for between a question that was asked ahead and the call. */
const KEPT_SECONDS = 60;

/** Of held calls, those that are remembered: the latest. */
const MOST_HELD = 1000;

interface Kept {
  readonly permit: Permit;
  readonly timer: NodeJS.Timeout;
}

/** Makes the tool calls of one set of tools. */
export class Governor {
  readonly #evaluation: Evaluation;
  readonly #governance: Governance;
  readonly #kept = new Map<string, Kept>();
  readonly #held = new Map<string, ApprovalNeeded<unknown>>();

  constructor(aegis: Aegis, governance: Governance) {
    this.#evaluation = partsOf(aegis).evaluation;
    this.#governance = governance;
  }

  /** Whether calls wait in place, in the way of no framework. */
  get waits(): boolean {
    return this.#governance.waits ?? this.#governance.onPending !== undefined;
  }

  /**
   * What `run` gives, called with the arguments that were let through.
   *
   * Rejects with AegisError where the call was refused, by us or inside of the tool, and with the tool's own error.
   */
  async call<R>(call: ToolCall, run: (args: unknown) => R | Promise<R>): Promise<R> {
    for (;;) {
      try {
        return await this.#called(call, run);
      } catch (fault) {
        const refusal = refusalOf(fault);
        if (!(refusal instanceof ApprovalNeeded) || !this.waits) {
          throw refusal ?? fault;
        }
        const { onPending, seconds } = this.#governance;
        await onPending?.(refusal as ApprovalNeeded<unknown>);
        const { signal } = call;
        await refusal.granted({ ...(seconds === undefined ? {} : { seconds }), ...(signal ? { signal } : {}) });
      }
    }
  }

  /**
   * What refuses the call, undefined where nothing does: then the call may be made next, and is not judged twice.
   *
   * A tool that calls through the mesh itself is not known ahead.
   */
  async ahead(call: ToolCall): Promise<AegisError | undefined> {
    const name = this.#nameOf(call);
    if (name === undefined || this.waits) {
      return undefined; // who waits does so in the call
    }
    const question = questionOf(call);
    if (this.#kept.has(question)) {
      return undefined;
    }
    try {
      const permit = await this.#judged(name, call);
      await this.#dropped(question); // that of a question that was asked at the same time
      const timer = setTimeout(() => void this.#dropped(question), KEPT_SECONDS * 1000);
      timer.unref();
      this.#kept.set(question, { permit, timer });
      return undefined;
    } catch (fault) {
      if (fault instanceof AegisError) {
        return fault;
      }
      throw fault;
    }
  }

  async #called<R>(call: ToolCall, run: (args: unknown) => R | Promise<R>): Promise<R> {
    const name = this.#nameOf(call);
    if (name === undefined) {
      return run(call.args);
    }
    const permit = this.#taken(call) ?? (await this.#judged(name, call));
    return (await finished(this.#evaluation, permit, run)) as R;
  }

  async #judged(name: FunctionName, call: ToolCall): Promise<Permit> {
    const { signal } = call;
    await this.#requireDecided(call);
    try {
      return await this.#evaluation.judge(name, call.args, () => Promise.resolve(undefined), signal);
    } catch (fault) {
      if (fault instanceof ApprovalNeeded && call.id !== "") {
        this.#held.set(questionOf(call), fault as ApprovalNeeded<unknown>);
        for (const question of [...this.#held.keys()].slice(0, -MOST_HELD)) {
          this.#held.delete(question);
        }
      }
      throw fault;
    }
  }

  /** What was held is not asked about anew while nobody has decided, and never once a person denied it. */
  async #requireDecided(call: ToolCall): Promise<void> {
    const question = questionOf(call);
    const held = this.#held.get(question);
    if (held === undefined) {
      return;
    }
    try {
      await held.granted({ seconds: 0, ...(call.signal ? { signal: call.signal } : {}) });
    } catch (fault) {
      throw fault instanceof DOMException && fault.name === "TimeoutError" ? held : fault;
    }
    this.#held.delete(question);
  }

  /** Leave that was given ahead, for this very call, once. */
  #taken(call: ToolCall): Permit | undefined {
    return this.#removed(questionOf(call));
  }

  #removed(question: string): Permit | undefined {
    const kept = this.#kept.get(question);
    this.#kept.delete(question);
    clearTimeout(kept?.timer);
    return kept?.permit;
  }

  async #dropped(question: string): Promise<void> {
    const permit = this.#removed(question);
    if (permit !== undefined) {
      await this.#evaluation.report(permit, "not_called");
    }
  }

  #nameOf(call: ToolCall): FunctionName | undefined {
    const { functions = {} } = this.#governance;
    return Object.hasOwn(functions, call.name) ? functions[call.name] : undefined;
  }
}

/** What leave was given for, or what is held: models name calls, and may give two of them one name. */
function questionOf({ id, name, args }: ToolCall): string {
  return JSON.stringify([id, name, args]);
}

/** What a program is told of a call that did not go through: never a token, never a result. */
export function report(error: AegisError): Record<string, unknown> {
  const told = { error: error.name, sentence: error.message };
  if (error instanceof AegisDenied) {
    const { reason, decisionId, retryable, retryAfter } = error;
    return { ...told, reason, decisionId, retryable, ...(retryAfter === undefined ? {} : { retryAfter }) };
  }
  if (error instanceof ApprovalNeeded) {
    const { reason, decisionId, approvalId, expiresAt } = error;
    return { ...told, reason, decisionId, approvalId, expiresAt };
  }
  return told;
}

/** The arguments that a framework has as JSON. Throws AegisUnavailable for what is none: nothing is called then. */
export function parsedArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AegisUnavailable("the arguments of the call are no JSON");
  }
}
