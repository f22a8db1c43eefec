/** What a call ends with that the mesh did not let through. Every one of them is an `AegisError`, and none a result. */

import { setTimeout as sleep } from "node:timers/promises";

const SHORTEST_PAUSE = 0.05;
const LONGEST_PAUSE = 30;

/** A call that did not go through; the message is one sentence, fit for a model or a person. */
export class AegisError extends Error {
  override name = "AegisError";
  /** Says to clients that repeat what failed by itself that a refusal is none of it. */
  readonly code: string = "AEGIS_ERROR";
}

/** Nothing was sent to the tool: there is no token, no agent, or no mesh that answers. */
export class AegisUnavailable extends AegisError {
  override name = "AegisUnavailable";
  override readonly code = "AEGIS_UNAVAILABLE";
}

/** What the mesh says of a call that it refused (docs/reasons.md of Aegis). */
export interface Refusal {
  /** The stable code of the reason. */
  readonly reason: string;
  /** What was refused, why, and what to do next. */
  readonly sentence: string;
  /** Names the record: `aegis explain DECISION_ID`. */
  readonly decisionId: string;
  /** The status of the answer. */
  readonly status: number;
  /** never, new_token, later or after_approval. */
  readonly retry: string;
  /** Seconds, undefined where nothing was said. */
  readonly retryAfter: number | undefined;
}

/** The mesh refused the call. `message` is the sentence for the model. */
export class AegisDenied extends AegisError {
  override name = "AegisDenied";
  override readonly code = "AEGIS_DENIED";
  readonly reason: string;
  readonly decisionId: string;
  readonly status: number;
  /** Whether the very same call may go through later. */
  readonly retryable: boolean;
  /** Seconds until then, undefined where nobody knows. */
  readonly retryAfter: number | undefined;

  constructor(refusal: Refusal) {
    super(refusal.sentence);
    this.reason = refusal.reason;
    this.decisionId = refusal.decisionId;
    this.status = refusal.status;
    this.retryable = refusal.retry === "new_token" || refusal.retry === "later";
    this.retryAfter = refusal.retryAfter;
  }

  /** What was refused, why, and what to do next. */
  get sentence(): string {
    return this.message;
  }
}

/** How a held call stands: its state, a sentence about it, and the seconds until it is worth asking again. */
export interface Standing {
  readonly state: string;
  readonly sentence: string;
  readonly pause: number;
}

/** Of whoever tells people that a call is held. */
export interface PendingOptions {
  /** Hears of each call that is held, before the wait for a person begins. What it throws, the call rejects with. */
  readonly onPending?: (held: ApprovalNeeded<unknown>) => unknown;
  /** How long to wait at most, by default for as long as the approval lives. */
  readonly seconds?: number;
}

/** Asks how an approval stands. Rejects with AegisUnavailable. */
export type Ask = (approvalId: string) => Promise<Standing>;

/** Makes a held call again. The signal of the call that was held may have ended while a person thought about it. */
export type Repeat<R> = (signal: AbortSignal | undefined) => Promise<R>;

/** What `ApprovalNeeded.wait` may be told: the most seconds to wait, and what ends it before. */
export interface WaitOptions {
  readonly seconds?: number;
  readonly signal?: AbortSignal;
}

/**
 * The mesh holds the call until a person has decided. `wait` gives the call's result.
 *
 * The result is what `fetch` would have given, or the wrapped function: the call is repeated as it was, with a proof of
 * its own, and goes through once.
 */
export class ApprovalNeeded<R = Response> extends AegisError {
  override name = "ApprovalNeeded";
  override readonly code = "AEGIS_APPROVAL_NEEDED";
  readonly reason: string;
  readonly decisionId: string;
  readonly status: number;
  readonly approvalId: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  readonly #ask: Ask;
  readonly #repeat: Repeat<R>;

  /** @internal */
  constructor(refusal: Refusal, approvalId: string, expiresAt: number, ask: Ask, repeat: Repeat<R>) {
    super(refusal.sentence);
    this.reason = refusal.reason;
    this.decisionId = refusal.decisionId;
    this.status = refusal.status;
    this.approvalId = approvalId;
    this.expiresAt = expiresAt;
    this.#ask = ask;
    this.#repeat = repeat;
  }

  /** What is held, why, and what to do next. */
  get sentence(): string {
    return this.message;
  }

  /**
   * The result of the call, once a person approved it.
   *
   * `seconds` is for how long to wait, by default for as long as the approval lives. `signal` ends the wait and the
   * call. Rejects with a DOMException
   * `TimeoutError` while nobody has decided (it may be waited for again), with AegisDenied, and with the reason of
   * `signal`.
   */
  async wait(options: WaitOptions = {}): Promise<R> {
    await this.granted(options);
    return this.#repeat(options.signal);
  }

  /** Comes to its end once a person approved the call, which is then to be made again by whoever made it; else as `wait`. */
  async granted(options: WaitOptions = {}): Promise<void> {
    const { seconds, signal } = options;
    if (seconds !== undefined && !(seconds >= 0)) {
      throw new RangeError("seconds is a number from 0");
    }
    // the control plane tells the end, by its own clock
    const limit = seconds ?? this.expiresAt - Date.now() / 1000 + LONGEST_PAUSE;
    const end = performance.now() + limit * 1000;
    for (;;) {
      signal?.throwIfAborted();
      const standing = await this.#standing();
      signal?.throwIfAborted();
      if (standing.state === "approved") {
        return;
      }
      if (standing.state !== "pending") {
        throw endedApproval(this.approvalId, standing, this.decisionId, this.status);
      }
      const remaining = (end - performance.now()) / 1000;
      if (!(remaining > 0)) {
        throw new DOMException(`approval ${this.approvalId}: ${standing.sentence}`, "TimeoutError");
      }
      const pause = Math.min(Math.max(standing.pause, SHORTEST_PAUSE), LONGEST_PAUSE, remaining);
      try {
        await sleep(pause * 1000, undefined, signal === undefined ? {} : { signal });
      } catch {
        signal?.throwIfAborted();
      }
    }
  }

  async #standing(): Promise<Standing> {
    try {
      return await this.#ask(this.approvalId);
    } catch (fault) {
      if (!(fault instanceof AegisUnavailable)) {
        throw fault;
      }
      // a control plane that is away for a moment decides nothing
      return { state: "pending", sentence: fault.message, pause: 2 };
    }
  }

}

/** The denial of a held call that ended without an approval. */
export function endedApproval(approvalId: string, standing: Standing, decisionId: string, status: number): AegisDenied {
  return new AegisDenied({
    reason: `APPROVAL_${standing.state.toUpperCase()}`,
    sentence: `Approval ${approvalId}: ${standing.sentence}`,
    decisionId,
    status,
    retry: "never",
    retryAfter: undefined,
  });
}

/** The refusal in a fault, which libraries wrap in errors of their own; undefined for none. */
export function refusalOf(fault: unknown): AegisError | undefined {
  const passed = new Set<unknown>(); // a cause may lead back
  for (let cause = fault; cause instanceof Error && !passed.has(cause); cause = cause.cause) {
    if (cause instanceof AegisError) {
      return cause;
    }
    passed.add(cause);
  }
  return undefined;
}
