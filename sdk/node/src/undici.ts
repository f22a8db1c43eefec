/** A dispatcher for programs that use `undici` themselves, or the `dispatcher` of the platform's `fetch`. */

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { stringify } from "node:querystring";

import { type Aegis, partsOf } from "./aegis.js";
import { isRefusal } from "./answers.js";
import { AegisUnavailable } from "./errors.js";
import type { Hop } from "./exchange.js";
import { type Mesh, refusalIn, sentHeaders, signed } from "./fetch.js";
import { targetUri } from "./key.js";

/** What `undici` 7 and 8 give a handler to steer the answer by. */
interface Controller {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  rawHeaders: Buffer[] | null;
  abort(reason: Error): void;
  pause(): void;
  resume(): void;
}

/** A handler of `undici` 7 and 8, and the one of before, which `fetch` of Node 20 and 22 has. */
interface Handler {
  onRequestStart?(controller: Controller, context: unknown): void;
  onResponseStart?(controller: Controller, status: number, headers: IncomingHttpHeaders, statusText: string): void;
  onResponseData?(controller: Controller, chunk: Buffer): void;
  onResponseEnd?(controller: Controller, trailers: IncomingHttpHeaders): void;
  onResponseError?(controller: Controller, fault: Error): void;
  onConnect?(abort: (reason?: Error) => void, context: unknown): void;
  onHeaders?(status: number, rawHeaders: Buffer[], resume: () => void, statusText: string): boolean | void;
  onData?(chunk: Buffer): boolean | void;
  onComplete?(rawTrailers: Buffer[]): void;
  onError?(fault: Error): void;
}

/** A request as `undici` says it. */
interface Dispatch {
  readonly origin?: string | URL;
  readonly path: string;
  readonly method: string;
  readonly query?: Record<string, unknown>;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly upgrade?: unknown;
}

/**
 * A `Dispatcher` into the mesh: `aegisDispatcher(aegis, Dispatcher)`.
 *
 * What it is asked to send is signed when it is sent, so the redirects and the tries of interceptors that are composed
 * with it have proofs of their own. A refusal is an AegisError: of `undici.request` as it is, of `fetch` as the `cause`.
 * Connections are those of `aegis`; closing the dispatcher closes none.
 */
export function aegisDispatcher<D extends object>(aegis: Aegis, Dispatcher: abstract new () => D): D {
  const { mesh } = partsOf(aegis);
  let isClosed = false;
  const end = (...args: unknown[]): Promise<void> | undefined => {
    isClosed = true;
    const done = args.find((value) => typeof value === "function") as (() => void) | undefined;
    return done === undefined ? Promise.resolve() : void queueMicrotask(done);
  };
  // a class of the user's own undici, so that its `request`, `compose` and the rest are there
  const Base = Dispatcher as unknown as new () => object;
  class AegisDispatcher extends Base {
    dispatch(options: Dispatch, handler: Handler): boolean {
      const exchange = new Exchange(handler);
      void exchange.run(mesh, options, isClosed);
      return true;
    }

    close = end;
    destroy = end;
  }
  return new AegisDispatcher() as D;
}

/** One request and its answer, told to a handler of either kind. */
class Exchange implements Controller {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: Buffer[] | null = null;
  readonly #handler: Handler;
  readonly #ended = new AbortController();
  #answer: IncomingMessage | undefined;

  constructor(handler: Handler) {
    this.#handler = handler;
  }

  abort(reason?: Error): void {
    if (!this.aborted) {
      this.aborted = true;
      this.reason = reason ?? new DOMException("This operation was aborted", "AbortError");
      this.#ended.abort(this.reason);
    }
  }

  pause(): void {
    this.paused = true;
    this.#answer?.pause();
  }

  resume(): void {
    this.paused = false;
    this.#answer?.resume();
  }

  async run(mesh: Mesh, options: Dispatch, isClosed: boolean): Promise<void> {
    try {
      if (isClosed) {
        throw new AegisUnavailable("this dispatcher is closed; make another one");
      }
      this.#start();
      const hop = await hopOf(options, this.#ended.signal);
      const answer = await signed(mesh, hop);
      if (isRefusal(answer.headers)) {
        throw await refusalIn(mesh, hop, answer);
      }
      this.#read(answer);
    } catch (fault) {
      this.#fail(fault as Error);
    }
  }

  #start(): void {
    const context = {};
    if (this.#handler.onRequestStart) {
      this.#handler.onRequestStart(this, context);
    } else {
      this.#handler.onConnect?.((reason) => this.abort(reason), context);
    }
  }

  #read(answer: IncomingMessage): void {
    this.#answer = answer;
    this.rawHeaders = answer.rawHeaders.map((text) => Buffer.from(text, "latin1"));
    let isOver = false;
    const fail = (fault: Error): void => {
      if (!isOver) {
        isOver = true;
        this.#fail(this.reason ?? fault);
      }
    };
    const guarded = <A extends unknown[]>(step: (...args: A) => void) => (...args: A): void => {
      try {
        if (!isOver) {
          step(...args);
        }
      } catch (fault) {
        fail(fault as Error);
        answer.destroy();
      }
    };
    answer.on("error", fail);
    answer.on("close", () => fail(new TypeError("terminated")));
    answer.on("data", guarded((chunk: Buffer) => this.#data(chunk)));
    answer.on("end", guarded(() => {
      this.#complete(answer); // what it throws is how an interceptor has the request made again
      isOver = true;
    }));
    guarded(() => this.#head(answer))();
    if (this.paused) {
      answer.pause();
    }
  }

  #head(answer: IncomingMessage): void {
    const [status, words] = [answer.statusCode ?? 0, answer.statusMessage ?? ""];
    if (this.#handler.onRequestStart) {
      this.#handler.onResponseStart?.(this, status, answer.headers, words);
    } else if (this.#handler.onHeaders?.(status, this.rawHeaders ?? [], () => this.resume(), words) === false) {
      this.pause();
    }
  }

  #data(chunk: Buffer): void {
    if (this.#handler.onRequestStart) {
      this.#handler.onResponseData?.(this, chunk);
    } else if (this.#handler.onData?.(chunk) === false) {
      this.pause();
    }
  }

  #complete(answer: IncomingMessage): void {
    if (this.#handler.onRequestStart) {
      this.#handler.onResponseEnd?.(this, answer.trailers as IncomingHttpHeaders);
    } else {
      this.#handler.onComplete?.(answer.rawTrailers.map((text) => Buffer.from(text, "latin1")));
    }
  }

  #fail(fault: Error): void {
    if (this.#handler.onResponseError) {
      this.#handler.onResponseError(this, fault);
    } else if (this.#handler.onError) {
      this.#handler.onError(fault);
    } else {
      throw fault; // a rejection that nobody hears is one that the process ends with
    }
  }
}

async function hopOf(options: Dispatch, signal: AbortSignal): Promise<Hop> {
  if (options.upgrade || options.method === "CONNECT") {
    throw new TypeError("an upgrade is no request that a proof could be made for");
  }
  const query = options.query === undefined ? "" : stringify(options.query as Record<string, string>);
  const url = `${new URL(String(options.origin)).origin}${options.path}${query === "" ? "" : `?${query}`}`;
  const method = options.method.toUpperCase();
  const content = await bodyOf(options.body);
  const headers = sentHeaders(headersOf(options.headers), method);
  if (content.type !== null && !headers.has("content-type")) {
    headers.set("content-type", content.type);
  }
  return { method, url: targetUri(url), headers, body: content.bytes, signal };
}

/** As `undici` takes them: an object, names and values in turn, or pairs. */
function headersOf(given: unknown): Headers {
  const headers = new Headers();
  for (const [name, value] of pairs(given)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) {
        headers.append(String(name), Buffer.isBuffer(each) ? each.toString("latin1") : String(each));
      }
    }
  }
  return headers;
}

function* pairs(given: unknown): Generator<[unknown, unknown]> {
  if (Array.isArray(given) && !Array.isArray(given[0])) {
    for (let index = 0; index + 1 < given.length; index += 2) {
      yield [given[index], given[index + 1]];
    }
  } else if (typeof given === "object" && given !== null && Symbol.iterator in given) {
    yield* given as Iterable<[unknown, unknown]>;
  } else if (typeof given === "object" && given !== null) {
    yield* Object.entries(given);
  }
}

async function bodyOf(body: unknown): Promise<{ bytes: Uint8Array; type: string | null }> {
  if (body === undefined || body === null) {
    return { bytes: new Uint8Array(), type: null };
  }
  if (typeof body === "object" && Symbol.asyncIterator in body && !(body instanceof ReadableStream)) {
    const chunks: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<string | Uint8Array>) {
      chunks.push(Buffer.from(chunk as string));
    }
    return { bytes: Buffer.concat(chunks), type: null };
  }
  const whole = new Response(body as ConstructorParameters<typeof Response>[0]);
  // a text has no type of its own here: undici gives it none
  const type = body instanceof FormData || body instanceof Blob ? whole.headers.get("content-type") : null;
  return { bytes: new Uint8Array(await whole.arrayBuffer()), type };
}
