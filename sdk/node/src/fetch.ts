/** `fetch` into the mesh: each request is signed afresh, hops of a redirect and repeated calls, too. */

import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { pipeline, Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

import { isHeld, isRefusal, refusalError } from "./answers.js";
import type { Connections } from "./connections.js";
import { type AegisError, AegisUnavailable, ApprovalNeeded, type Ask, type PendingOptions, type Repeat } from "./errors.js";
import { headerOf, type Hop, readAtMost, send, Unreached } from "./exchange.js";
import { targetUri } from "./key.js";

/** As the platform's `fetch`, but for where requests go. */
export type MeshFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** What an `Aegis` gives to its `fetch`. */
export interface Mesh {
  readonly connections: Connections;
  readonly headers: (method: string, url: string, body: Uint8Array) => Promise<Record<string, string>>;
  readonly proxyFor: (url: string) => string | null;
  readonly standing: Ask;
}

const MOST_HOPS = 20;
const MOST_BYTES = 65_536;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const BODILESS: readonly number[] = [204, 205, 304];
/** Those of one connection, and those that say who calls: the first are Node's to set, the others the mesh's to read. */
const OURS = [
  ...["connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"],
  ...["proxy-authorization", "proxy-connection", "x-aegis-proof", "x-aegis-token"],
];
const IDEMPOTENCY = "idempotency-key";
const NOT_IDEMPOTENT: readonly string[] = ["PATCH", "POST"];
const DEFAULTS = { accept: "*/*", "accept-encoding": "gzip, deflate, br", "user-agent": "aegis-agent" };
const OF_A_BODY = ["content-encoding", "content-language", "content-location", "content-type"];
const OF_AN_ORIGIN = ["authorization", "cookie"];
const DECODERS: Readonly<Record<string, () => Transform>> = {
  br: createBrotliDecompress,
  deflate: createInflate,
  gzip: createGunzip,
  "x-gzip": createGunzip,
};

interface Call {
  readonly mesh: Mesh;
  /** Whether this answer is made an error. */
  readonly raises: (headers: IncomingHttpHeaders) => boolean;
  readonly redirect: string;
}

/** A `fetch` into this mesh. With `raises` off a refusal is a response: 403 and the like, a problem document in it. */
export function fetchInto(mesh: Mesh, raises: boolean): MeshFetch {
  return async (input, init) => {
    const { hop, redirect } = await prepared(input, init);
    return follow({ mesh, raises: raises ? isRefusal : () => false, redirect }, hop, 0);
  };
}

/** A `fetch` into this mesh which waits for people, also where the refusal of a held call is in the words of MCP. */
export function patientFetchInto(mesh: Mesh, { onPending, seconds }: PendingOptions): MeshFetch {
  return async (input, init) => {
    const { hop, redirect } = await prepared(input, init);
    const raises = (headers: IncomingHttpHeaders): boolean => isRefusal(headers) || isHeld(headers);
    try {
      return await follow({ mesh, raises, redirect }, hop, 0);
    } catch (fault) {
      if (!(fault instanceof ApprovalNeeded)) {
        throw fault;
      }
      await onPending?.(fault);
      return await fault.wait({ ...(seconds === undefined ? {} : { seconds }), ...(hop.signal ? { signal: hop.signal } : {}) });
    }
  };
}

async function prepared(input: string | URL | Request, init?: RequestInit): Promise<{ hop: Hop; redirect: string }> {
  if (init !== undefined && "dispatcher" in init) {
    throw new TypeError("dispatcher is not an option here: requests go into the mesh, and Aegis says how");
  }
  const request = new Request(input, init);
  if (request.integrity !== "") {
    throw new TypeError("integrity is not checked here");
  }
  const method = request.method.toUpperCase(); // so Node sends it, and so it is signed
  const headers = sentHeaders(request.headers, method);
  for (const [name, value] of Object.entries(DEFAULTS)) {
    headers.set(name, headers.get(name) ?? value);
  }
  const body = new Uint8Array(await request.arrayBuffer());
  // that of the Request follows it, but may be collected before
  const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
  return { hop: { method, url: targetUri(request.url), headers, body, signal }, redirect: request.redirect };
}

/**
 * What of a caller's headers is sent.
 *
 * A call that is not to be made twice gets an `Idempotency-Key` where its caller chose none: each hop, and the
 * repetition after an approval, has the same.
 */
export function sentHeaders(headers: Headers, method: string): Headers {
  const sent = new Headers(headers);
  OURS.forEach((name) => sent.delete(name));
  if (NOT_IDEMPOTENT.includes(method) && !sent.has(IDEMPOTENCY)) {
    sent.set(IDEMPOTENCY, randomUUID());
  }
  return sent;
}

async function follow(call: Call, first: Hop, passed: number): Promise<Response> {
  let hop = first;
  for (let hops = passed; hops <= MOST_HOPS; hops += 1) {
    const answer = await signed(call.mesh, hop);
    const status = answer.statusCode ?? 0;
    if (call.raises(answer.headers)) {
      throw await refusalOf(call, hop, answer, hops);
    }
    const location = headerOf(answer, "location");
    if (!REDIRECTS.includes(status) || location === "" || call.redirect === "manual") {
      return response(answer, hop, hops > 0);
    }
    await readAtMost(answer, MOST_BYTES);
    if (call.redirect === "error") {
      throw new TypeError("fetch failed", { cause: new Error("unexpected redirect") });
    }
    hop = nextHop(hop, status, location);
  }
  throw new TypeError("fetch failed", { cause: new Error("too many redirects") });
}

async function refusalOf(call: Call, hop: Hop, answer: IncomingMessage, hops: number): Promise<AegisError> {
  const body = (await readAtMost(answer, MOST_BYTES)) ?? new Uint8Array();
  const repeat: Repeat<Response> = (signal) => follow(call, { ...hop, signal }, hops);
  return refusalError(answer.statusCode ?? 0, answer.headers, body, call.mesh.standing, repeat);
}

/** The error that a refusal is told as, whose repetition follows redirects as `fetch` does. */
export function refusalIn(mesh: Mesh, hop: Hop, answer: IncomingMessage): Promise<AegisError> {
  return refusalOf({ mesh, raises: isRefusal, redirect: "follow" }, hop, answer, 0);
}

/** The head of the answer to a request with a proof. Rejects as `send` does, but with AegisUnavailable. */
export async function signed(mesh: Mesh, hop: Hop): Promise<IncomingMessage> {
  hop.signal?.throwIfAborted();
  const proxy = mesh.proxyFor(hop.url);
  const headers = await mesh.headers(hop.method, hop.url, hop.body);
  try {
    return await send(mesh.connections, hop, headers, proxy);
  } catch (fault) {
    if (fault instanceof Unreached) {
      throw new AegisUnavailable(`the mesh does not answer for ${hop.url.split("?", 1)[0]}: ${fault.message}`);
    }
    throw fault;
  }
}

/** What a redirect leads to, by the rules of fetch (section 4.4, HTTP-redirect fetch). */
function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = URL.canParse(location, hop.url) ? new URL(location, hop.url) : undefined;
  if (!url || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "") {
    throw new TypeError("fetch failed", { cause: new Error("a redirect to what is no http or https URL") });
  }
  const headers = new Headers(hop.headers);
  if (url.origin !== new URL(hop.url).origin) {
    OF_AN_ORIGIN.forEach((name) => headers.delete(name));
  }
  const isPost = hop.method === "POST" && (status === 301 || status === 302);
  const next = { headers, url: targetUri(url.href), signal: hop.signal };
  if (!isPost && (status !== 303 || hop.method === "GET" || hop.method === "HEAD")) {
    return { ...next, method: hop.method, body: hop.body };
  }
  OF_A_BODY.forEach((name) => headers.delete(name));
  return { ...next, method: "GET", body: new Uint8Array() };
}

function response(answer: IncomingMessage, hop: Hop, redirected: boolean): Response {
  const headers = new Headers();
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2) {
    headers.append(answer.rawHeaders[index] ?? "", answer.rawHeaders[index + 1] ?? "");
  }
  const status = answer.statusCode ?? 0;
  const isEmpty = hop.method === "HEAD" || BODILESS.includes(status);
  if (isEmpty) {
    answer.resume();
  }
  const body = isEmpty ? null : (Readable.toWeb(decoded(answer)) as ConstructorParameters<typeof Response>[0]);
  const result = new Response(body ?? null, { status, statusText: answer.statusMessage ?? "", headers });
  Object.defineProperty(result, "url", { value: hop.url });
  Object.defineProperty(result, "redirected", { value: redirected });
  return result;
}

/** The content without its codings, the last one first; of one that is not ours to read, as it is. */
function decoded(answer: IncomingMessage): Readable {
  const codings = headerOf(answer, "content-encoding").toLowerCase().split(",").map((coding) => coding.trim());
  if (!codings.every((coding) => Object.hasOwn(DECODERS, coding))) {
    return answer;
  }
  return codings.reduceRight<Readable>((content, coding) => {
    const decoder = DECODERS[coding]?.();
    // what breaks on the way breaks the stream that is read
    return decoder === undefined ? content : pipeline(content, decoder, () => undefined);
  }, answer);
}
