/** Plain functions as tools: each call is judged before it, and what came of it is told to the mesh. */

import { ApprovalNeeded, type PendingOptions } from "./errors.js";
import type { Evaluation, FunctionName, Permit } from "./evaluation.js";

/** Where a function stands in the catalogue; whether its calls wait for people. */
export interface WrapOptions extends PendingOptions {
  readonly tool: string;
  /** By default the function's own name. */
  readonly action?: string;
  /** Wait for a person by itself, and call the function then. `onPending` says so, too. */
  readonly waits?: boolean;
}

type Called = (...all: unknown[]) => unknown;

/**
 * The function, judged: it takes what the function takes and gives what it gives, in a promise.
 *
 * It is called with the arguments that policy lets through, which are what JSON makes of them. Throws TypeError for a
 * function without a name.
 */
export function wrapFunction<F extends (args: never, ...more: never[]) => unknown>(
  evaluation: Evaluation,
  called: F,
  options: WrapOptions,
): (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>> {
  const name: FunctionName = { tool: options.tool, action: options.action ?? called.name };
  if (name.tool === "" || name.action === "") {
    throw new TypeError("say which tool and action of the catalogue the function is");
  }
  type Result = Awaited<ReturnType<F>>;
  const judged = async (args: unknown, more: unknown[]): Promise<Result> => {
    const signal = signalOf(more);
    const permit = await evaluation.judge(name, args, () => judged(args, more), signal);
    return finished(evaluation, permit, (given) => (called as unknown as Called)(given, ...more)) as Result;
  };
  const wrapped = (...all: unknown[]): Promise<Result> => patient(() => judged(all[0], all.slice(1)), options, signalOf(all.slice(1)));
  Object.defineProperty(wrapped, "name", { value: called.name });
  return wrapped as (...args: Parameters<F>) => Promise<Result>;
}

/** Calls the function that was permitted, and reports its outcome. Its own error is what it rejects with. */
export async function finished(
  evaluation: Evaluation,
  permit: Permit,
  called: (args: Permit["args"]) => unknown,
): Promise<unknown> {
  let result: unknown;
  try {
    result = await called(permit.args);
  } catch (fault) {
    await evaluation.report(permit, "failed");
    throw fault;
  }
  return evaluation.report(permit, "done", result);
}

async function patient<R>(call: () => Promise<R>, options: WrapOptions, signal: AbortSignal | undefined): Promise<R> {
  const { onPending, seconds, waits = onPending !== undefined } = options;
  try {
    return await call();
  } catch (fault) {
    if (!waits || !(fault instanceof ApprovalNeeded)) {
      throw fault;
    }
    await onPending?.(fault as ApprovalNeeded<unknown>);
    const held = fault as ApprovalNeeded<R>;
    return held.wait({ ...(seconds === undefined ? {} : { seconds }), ...(signal === undefined ? {} : { signal }) });
  }
}

/** That of the options which frameworks give a tool besides its arguments. */
function signalOf(more: unknown[]): AbortSignal | undefined {
  for (const value of more) {
    const { signal, abortSignal } = (value ?? {}) as { signal?: unknown; abortSignal?: unknown };
    const found = signal ?? abortSignal;
    if (found instanceof AbortSignal) {
      return found;
    }
  }
  return undefined;
}
