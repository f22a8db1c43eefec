/** An adapter of `axios`: `axios.create({ adapter: axiosAdapter(aegis, axios) })`. */

import { randomUUID } from "node:crypto";

import { type Aegis, partsOf } from "./aegis.js";
import { type PendingOptions, refusalOf } from "./errors.js";
import type { MeshFetch } from "./fetch.js";

const IDEMPOTENCY = "Idempotency-Key";

/** A request of `axios`, of which only this is read. */
interface Config {
  readonly method?: string;
  readonly headers: { has(name: string): boolean; set(name: string, value: string): unknown };
}

/** What of `axios` is used: it makes an adapter of a `fetch`, since 1.12. */
interface Axios<C, R> {
  readonly VERSION: string;
  getAdapter(name: "fetch", config: { env: Environment }): (config: C) => Promise<R>;
}

interface Environment {
  readonly fetch: MeshFetch;
  readonly Request: typeof Request;
  readonly Response: typeof Response;
}

/**
 * Sends what `axios` asks for into the mesh. A refusal rejects with AegisError, all else as `axios` says it.
 *
 * With `pending` a held call waits for a person. Proxies, agents and `fetch` of a request's configuration do not count.
 * A call that is repeated with its configuration keeps its `Idempotency-Key`. Throws TypeError for an `axios` before 1.12,
 * which would send past the mesh.
 */
export function axiosAdapter<C, R>(aegis: Aegis, axios: Axios<C, R>, pending?: PendingOptions): (config: C) => Promise<R> {
  partsOf(aegis);
  requireEnvironments(axios.VERSION);
  const fetch = pending === undefined ? aegis.fetch : aegis.fetchWhenApproved(pending);
  const adapter = axios.getAdapter("fetch", { env: { fetch, Request, Response } });
  return async (config) => {
    const { method = "get", headers } = config as unknown as Config;
    if (["post", "patch"].includes(method.toLowerCase()) && !headers.has(IDEMPOTENCY)) {
      headers.set(IDEMPOTENCY, randomUUID());
    }
    try {
      return await adapter(config);
    } catch (fault) {
      throw refusalOf(fault) ?? fault;
    }
  };
}

/** Those of before leave out the `fetch` they are given, without a word, and call by the platform's. */
function requireEnvironments(version: unknown): void {
  const [major = NaN, minor = NaN] = String(version).split(".").map(Number);
  if (!(major > 1 || (major === 1 && minor >= 12))) {
    throw new TypeError(`axios 1.12 or later is needed, and this is ${String(version)}: it would send past the mesh`);
  }
}
