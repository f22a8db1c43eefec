/** The mesh's evaluation endpoint, at which calls of plain functions are judged (OpenID AuthZEN Authorization API 1.0). */

import type { IncomingHttpHeaders } from "node:http";

import { errorOf } from "./answers.js";
import type { Connections } from "./connections.js";
import { AegisDenied, AegisError, AegisUnavailable, type Ask, type Repeat } from "./errors.js";
import { readAtMost, send, Unreached } from "./exchange.js";
import { targetUri } from "./key.js";
import { isMembers, type Members, memberOf, objectOrNone, textOf } from "./strict-json.js";

const PATH = "/access/v1/evaluation";
/** Redactions, of arguments and of results, are the one kind of obligation that is met here. */
const REDACT = "redact";
const SECONDS = 10;
/** Seconds for which a mesh keeps a question open at most (docs/evaluation.md). */
const MOST_WAIT = 300;
const MOST_BYTES = 4 * 1024 * 1024;

/** A function by its place in the catalogue. */
export interface FunctionName {
  readonly tool: string;
  readonly action: string;
}

/** Leave to call a function once, with these arguments. Its outcome must be reported. */
export interface Permit {
  readonly decisionId: string;
  /** Those to call with, in place of those that were asked about. */
  readonly args: Members;
  /** Whether the result is shown to nobody but the mesh, whose answer takes its place. */
  readonly redacts: boolean;
  readonly endpoint: string;
  readonly ticket: string;
}

export type Outcome = "done" | "failed" | "not_called";

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly members: Members;
}

/** What asking there needs of an Aegis. */
export interface Asker {
  readonly agent: string;
  readonly evaluation: string;
  readonly connections: Connections;
  readonly headers: (method: string, url: string, body: Uint8Array) => Promise<Record<string, string>>;
  readonly standing: Ask;
  /** For how many seconds a question may be kept open while a person decides. */
  readonly approvalWait: number;
}

/** Asks whether functions may be called, and says what became of them. */
export class Evaluation {
  readonly #asker: Asker;

  /** Throws RangeError for an `approvalWait` that is none. */
  constructor(asker: Asker) {
    const { approvalWait } = asker;
    if (!(Number.isInteger(approvalWait) && approvalWait >= 0 && approvalWait <= MOST_WAIT)) {
      throw new RangeError(`approvalWait is a whole number of seconds from 0 to ${MOST_WAIT}`);
    }
    this.#asker = asker;
  }

  /**
   * Leave to call the function. `repeat` makes a held call again.
   *
   * Rejects with AegisDenied, ApprovalNeeded, AegisUnavailable, the reason of `signal`, and with TypeError for arguments
   * that are no JSON.
   */
  async judge<R>(name: FunctionName, args: unknown, repeat: Repeat<R>, signal?: AbortSignal): Promise<Permit> {
    const { agent, evaluation } = this.#asker;
    if (evaluation === "") {
      throw new AegisUnavailable(`the mesh of ${agent} judges no functions: it has no evaluation endpoint`);
    }
    const given = plainMembers(args);
    const { status, headers, members } = await this.#post(`${evaluation}${PATH}`, {
      subject: { type: "agent", id: agent },
      resource: { type: "tool", id: name.tool },
      action: { name: name.action, properties: given },
      context: { obligations: [REDACT] },
    }, signal, this.#asker.approvalWait);
    const context = memberOf(members, "context");
    const told = isMembers(context) ? context : {};
    if (status === 200 && memberOf(members, "decision") === true) {
      return permit(told, given);
    }
    if (memberOf(members, "decision") !== false || !isMembers(context)) {
      throw new AegisUnavailable(`the mesh did not judge ${name.action} of ${name.tool}: status ${status}`);
    }
    const isHeld = textOf(told, "effect") === "approval_needed";
    throw errorOf(status, headers, told, isHeld, this.#asker.standing, repeat);
  }

  /**
   * Say what became of the call; the result that may be shown, where the permit says that it is redacted.
   *
   * Rejects with AegisDenied for a result that may not be shown.
   */
  async report(permit: Permit, outcome: Outcome, result?: unknown): Promise<unknown> {
    const redacts = permit.redacts && outcome === "done";
    // what a function that gives nothing gives is null in JSON
    const report = { ticket: permit.ticket, outcome, ...(redacts ? { result: result ?? null } : {}) };
    let fault: AegisError;
    try {
      const { status, headers, members } = await this.#post(permit.endpoint, report, undefined);
      if (status === 200 && (!redacts || Object.hasOwn(members, "result"))) {
        return redacts ? memberOf(members, "result") : result;
      }
      const repeat = (): Promise<never> => Promise.reject(fault);
      fault = errorOf(status, headers, explained(members), false, this.#asker.standing, repeat);
    } catch (error) {
      if (!(error instanceof AegisError || error instanceof TypeError)) {
        throw error;
      }
      fault = redacts ? withheld(permit, error.message) : new AegisError(error.message);
    }
    if (redacts) {
      throw fault;
    }
    // the function was called, and what it gave may be shown: an error would have it called again
    process.emitWarning(`Aegis: the outcome of ${permit.decisionId} was not reported: ${fault.message}`);
    return result;
  }

  async #post(url: string, document: unknown, signal: AbortSignal | undefined, wait = 0): Promise<Answer> {
    signal?.throwIfAborted();
    const body = Buffer.from(json(document), "utf-8");
    const target = targetUri(url);
    const proof = await this.#asker.headers("POST", target, body);
    const headers = new Headers({ "content-type": "application/json", accept: "application/json" });
    if (wait > 0) {
      headers.set("prefer", `wait=${wait}`); // RFC 7240
    }
    const limit = AbortSignal.timeout((SECONDS + wait) * 1000);
    const hop = { method: "POST", url: target, headers, body, signal: signal ? AbortSignal.any([signal, limit]) : limit };
    try {
      const answer = await send(this.#asker.connections, hop, proof, null);
      const content = await readAtMost(answer, MOST_BYTES);
      const members = content === undefined ? {} : objectOrNone(content);
      return { status: answer.statusCode ?? 0, headers: answer.headers, members };
    } catch (fault) {
      signal?.throwIfAborted();
      const { message, cause } = fault as Error;
      const detail = cause instanceof Error ? cause.message : message;
      const what = fault instanceof Unreached ? "cannot be reached" : "does not answer";
      throw new AegisUnavailable(`the mesh's evaluation endpoint ${what} at ${url}: ${detail}`);
    }
  }
}

/** Fails closed: what is not understood is no permit. */
function permit(context: Members, given: Members): Permit {
  const outcome = memberOf(context, "outcome");
  const obligations = Object.hasOwn(context, "obligations") ? memberOf(context, "obligations") : [];
  const decisionId = textOf(context, "decision_id");
  const endpoint = isMembers(outcome) ? textOf(outcome, "endpoint") : "";
  const ticket = isMembers(outcome) ? textOf(outcome, "ticket") : "";
  let args = given;
  let redacts = false;
  for (const obligation of Array.isArray(obligations) ? (obligations as unknown[]) : [undefined]) {
    const properties = isMembers(obligation) ? memberOf(obligation, "properties") : undefined;
    const others = isMembers(properties) ? memberOf(properties, "arguments") : undefined;
    const kind = isMembers(obligation) ? `${textOf(obligation, "type")} ${textOf(obligation, "id")}` : "";
    if (kind === `${REDACT} arguments` && isMembers(others)) {
      args = others;
    } else if (kind === `${REDACT} result`) {
      redacts = true;
    } else {
      throw new AegisUnavailable("the mesh demands what this version of the SDK does not know; update it");
    }
  }
  if (ticket === "" || endpoint === "") {
    throw new AegisUnavailable("the mesh let a call through without saying where its outcome is reported");
  }
  return { decisionId, args, redacts, endpoint, ticket };
}

/** A withheld result is told as a problem document, or in the context of a decision. */
function explained(members: Members): Members {
  const context = memberOf(members, "context");
  return isMembers(context) ? context : members;
}

function withheld(permit: Permit, detail: string): AegisDenied {
  return new AegisDenied({
    reason: "OBLIGATION_UNMET",
    sentence: `The call was made, but its result must be redacted and cannot be: ${detail}. Do not repeat it.`,
    decisionId: permit.decisionId,
    status: 0,
    retry: "never",
    retryAfter: undefined,
  });
}

/** The arguments as JSON has them: what was judged is then what is called with. */
function plainMembers(args: unknown): Members {
  const value: unknown = args === undefined ? {} : JSON.parse(json(args));
  if (!isMembers(value)) {
    throw new TypeError("a function that Aegis judges takes an object of named arguments");
  }
  return value;
}

function json(value: unknown): string {
  const text: unknown = JSON.stringify(value);
  if (typeof text !== "string") {
    throw new TypeError("the value is no JSON");
  }
  return text;
}
