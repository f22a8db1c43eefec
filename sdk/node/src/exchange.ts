/** One request and the head of its answer. */

import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";

import { CONNECT_SECONDS, type Connections } from "./connections.js";

/** There was no connection, so nothing was sent. The message says why. */
export class Unreached extends Error {}

/** What is sent, to the byte. `url` is in the normal form of a proof. */
export interface Hop {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly signal: AbortSignal | undefined;
}

/**
 * Send it with these headers more, through the proxy or straight (null).
 *
 * Rejects with Unreached, with the reason of its signal, and with TypeError for a connection that broke later: nobody
 * knows then whether the request arrived.
 */
export function send(
  connections: Connections,
  hop: Hop,
  more: Readonly<Record<string, string>>,
  proxy: string | null,
): Promise<IncomingMessage> {
  const headers: OutgoingHttpHeaders = { ...Object.fromEntries(hop.headers), ...more };
  const { signal } = hop;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const request = connections.request(hop.method, hop.url, headers, proxy);
    let isReached = false;
    const timer = setTimeout(() => request.destroy(new Error("no connection in time")), CONNECT_SECONDS * 1000);
    const reach = (): void => {
      isReached = true;
      clearTimeout(timer);
    };
    const abort = (): void => void request.destroy(new Error("aborted"));
    signal?.addEventListener("abort", abort, { once: true });
    request.once("socket", (socket) => {
      if (socket.connecting) {
        socket.once("encrypted" in socket ? "secureConnect" : "connect", reach);
      } else {
        reach();
      }
    });
    request.once("close", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      // an answer that changes the protocol ends with neither an error nor a response; what was settled stays
      reject(new TypeError("fetch failed", { cause: new Error("the connection was closed without an answer") }));
    });
    request.on("error", (fault) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
      } else {
        reject(isReached ? new TypeError("fetch failed", { cause: fault }) : new Unreached(why(fault)));
      }
    });
    request.once("response", (answer) => {
      const cut = (): void => void answer.destroy(signal?.reason as Error);
      signal?.addEventListener("abort", cut, { once: true });
      answer.once("close", () => signal?.removeEventListener("abort", cut));
      resolve(answer);
    });
    request.end(hop.body.byteLength > 0 ? hop.body : undefined);
  });
}

/** All of an answer of at most so many bytes; of a longer one undefined, and its connection is closed. */
export async function readAtMost(answer: IncomingMessage, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > most) {
      answer.destroy();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A header of an answer, "" where there is none. */
export function headerOf(answer: IncomingMessage, name: string): string {
  const value = answer.headers[name];
  return typeof value === "string" ? value : "";
}

/** Of several addresses that were tried the message says nothing, and each fault its own. */
function why(fault: Error): string {
  const [first] = fault instanceof AggregateError ? (fault.errors as Error[]) : [];
  return fault.message || first?.message || fault.name;
}
