// The protocol of sdk/conformance: cases come in, what they came to goes out.

import { createInterface } from "node:readline";

import { Aegis, AegisDenied, AegisError } from "@aegis-authz/agent";

const cases = new Map();

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** One case to play, with an agent of its own. */
class Case {
  constructor({ id, environment, base, calls, together, resend }) {
    Object.assign(this, { base, calls, together, tries: resend ? 2 : 1 });
    this.aegis = Aegis.fromEnv({ ...process.env, ...environment });
    this.cancellation = new AbortController();
    this.signal = this.cancellation.signal;
    this.onPending = ({ approvalId }) => this.tellHeld(approvalId);
    this.decision = new Promise((resolve) => (this.decide = resolve));
    this.tellHeld = (approvalId) => say({ id, held: approvalId });
  }

  /** Each call by itself, all at once or one after another. */
  async each(play) {
    if (this.together) {
      return Promise.all(this.calls.map(play));
    }
    const ends = [];
    for (const call of this.calls) {
      ends.push(await play(call));
    }
    return ends;
  }
}

/** What the program got that is an error. */
export function error(fault) {
  if (fault instanceof AegisDenied) {
    const { name, reason, retryable, retryAfter } = fault;
    return { error: name, reason, retryable, ...(retryAfter === undefined ? {} : { retry_after: retryAfter }) };
  }
  if (fault instanceof AegisError) {
    return { error: fault.name };
  }
  if (fault.name === "AbortError" || fault.name === "CanceledError") {
    return { error: "cancelled" };
  }
  throw fault;
}

async function played(play, line) {
  const playing = new Case(line);
  cases.set(line.id, playing);
  try {
    const ends = await play(playing);
    say({ id: line.id, got: ends.map(({ got }) => got), shown: ends.map(({ shown }) => shown) });
  } finally {
    playing.aegis.close();
  }
}

/** Plays what comes on standard input. */
export async function run(play) {
  for await (const text of createInterface({ input: process.stdin })) {
    const line = JSON.parse(text);
    if ("case" in line) {
      played(play, line).catch((fault) => {
        console.error(fault);
        process.exit(1);
      });
    } else if (line.cancel) {
      cases.get(line.id).cancellation.abort();
    } else {
      cases.get(line.id).decide();
    }
  }
}
