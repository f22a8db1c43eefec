/** The token to call with, there before it is needed. */

import type { AgentToken } from "./control-plane.js";
import { AegisUnavailable } from "./errors.js";

/** Of a token's life, after which the next one is obtained: the last third is for a control plane that is away. */
const RENEWED_AT = 2 / 3;
/** By which share of itself a renewal comes earlier at most, by chance: many that began at once do not ask at once. */
const EARLIER = 0.1;
/**
 * Seconds between tries while no token can be had; each pause is twice the one before. For the first of them callers
 * hear of the failure before theirs: a hundred calls do not ask a dead server a hundred times.
 */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 30;
/** Seconds before its end in which a token is not used any more: the call takes a while to be judged. */
const LAST_MOMENT = 2;

/** Holds the token that is valid now, for all calls of a process. The timer that renews it does not keep the process. */
export class TokenKeeper {
  readonly #obtain: () => Promise<AgentToken>;
  #token: { readonly text: string; readonly life: number; readonly end: number } | undefined;
  #fault: { readonly sentence: string; readonly until: number } | undefined;
  #renewal: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pause = FIRST_PAUSE;
  #isClosed = false;

  /** `obtain` asks for a token, or rejects with AegisUnavailable. */
  constructor(obtain: () => Promise<AgentToken>) {
    this.#obtain = obtain;
  }

  /** The token to call with. Rejects with AegisUnavailable when there is none and none can be had. */
  async token(): Promise<string> {
    this.#requireOpen();
    const text = this.current() ?? (await this.#renewed());
    this.#requireOpen();
    return text;
  }

  /** The token that is good now, undefined when there is none; asks nobody. */
  current(): string | undefined {
    if (this.#token === undefined || this.#isClosed) {
      return undefined;
    }
    const { text, life, end } = this.#token;
    return seconds() < end - Math.min(LAST_MOMENT, life / 10) ? text : undefined;
  }

  /** Stop renewing; no token is given any more. */
  close(): void {
    this.#isClosed = true;
    this.#token = undefined;
    clearTimeout(this.#timer);
  }

  #requireOpen(): void {
    if (this.#isClosed) {
      throw new AegisUnavailable("this Aegis is closed; make another one");
    }
  }

  /** One question at a time, however many wait for its answer. */
  #renewed(): Promise<string> {
    if (this.#fault !== undefined && seconds() < this.#fault.until) {
      return Promise.reject(new AegisUnavailable(this.#fault.sentence));
    }
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renew(): Promise<string> {
    const began = seconds(); // its life began later, at the issuer's clock: we count too little, never too much
    let token: AgentToken;
    try {
      token = await this.#obtain();
    } catch (fault) {
      if (fault instanceof AegisUnavailable) {
        this.#fault = { sentence: fault.message, until: seconds() + FIRST_PAUSE };
      }
      throw fault;
    }
    if (!this.#isClosed) {
      this.#token = { ...token, end: began + token.life };
      this.#fault = undefined;
      this.#pause = FIRST_PAUSE;
      const share = RENEWED_AT * (1 - EARLIER * Math.random());
      this.#schedule(began + token.life * share - seconds());
    }
    return token.text;
  }

  #schedule(rest: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#renewInBackground(), Math.max(rest, 0) * 1000);
    this.#timer.unref();
  }

  async #renewInBackground(): Promise<void> {
    try {
      await this.#renewed();
    } catch (fault) {
      if (!(fault instanceof AegisUnavailable)) {
        throw fault;
      }
      // who calls is told, once the token of before has ended
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
      if (!this.#isClosed) {
        this.#schedule(this.#pause);
      }
    }
  }
}

function seconds(): number {
  return performance.now() / 1000;
}
