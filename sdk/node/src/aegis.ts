/** An agent of a mesh, ready to call: where calls go, and what each of them shows. */

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { Connections } from "./connections.js";
import { ControlPlane } from "./control-plane.js";
import { type Enrolment, type Environment, findEnrolment, KEY_FILE } from "./enrolment.js";
import { AegisUnavailable, type PendingOptions, type Standing } from "./errors.js";
import { Evaluation } from "./evaluation.js";
import { fetchInto, type Mesh, type MeshFetch, patientFetchInto } from "./fetch.js";
import { wrapFunction, type WrapOptions } from "./functions.js";
import { type AgentKey, loadKey, reason, targetUri } from "./key.js";
import { TokenKeeper } from "./tokens.js";

interface Parts {
  readonly mesh: Mesh;
  readonly evaluation: Evaluation;
}

const PARTS = new WeakMap<object, Parts>();

/** What the adapters of this package call with. Throws TypeError for what is no Aegis. @internal */
export function partsOf(aegis: Aegis): Parts {
  const parts = PARTS.get(aegis);
  if (parts === undefined) {
    throw new TypeError("an Aegis is needed: Aegis.fromEnv()");
  }
  return parts;
}

/** How an agent asks. */
export interface AegisOptions {
  /**
   * For how many seconds the mesh keeps a question about a function open while a person decides, where its rule has a
   * `hold`: who is quick is not noticed, and for any other the answer is as without. By default 0, at most 300.
   */
  readonly approvalWait?: number;
}

/** One agent. Close it when done. */
export class Aegis {
  /** org/tenant/agent. */
  readonly agent: string;
  /**
   * As the platform's `fetch`, into the mesh: give it to whatever takes one. Rejects with AegisError for what the mesh
   * did not let through, and with TypeError for a connection that broke after the request was sent.
   */
  readonly fetch: MeshFetch;
  /** As `fetch`, but a refusal is a response: for clients that would take an error for a broken connection. */
  readonly fetchAnswers: MeshFetch;
  readonly #enrolment: Enrolment;
  readonly #key: AgentKey;
  readonly #connections: Connections;
  readonly #control: ControlPlane;
  readonly #tokens: TokenKeeper;

  /** Throws AegisUnavailable for a file of authorities that holds none, and RangeError for a wait that is none. */
  constructor(enrolment: Enrolment, key: AgentKey, { approvalWait = 0 }: AegisOptions = {}) {
    this.agent = enrolment.agent;
    this.#enrolment = enrolment;
    this.#key = key;
    this.#connections = new Connections(authoritiesOf(enrolment.authorities));
    this.#control = new ControlPlane(enrolment, key, this.#connections);
    this.#tokens = new TokenKeeper(() => this.#control.obtain());
    const mesh = {
      connections: this.#connections,
      headers: this.headers.bind(this),
      proxyFor: this.proxyFor.bind(this),
      standing: this.standing.bind(this),
    };
    const { agent, evaluation } = enrolment;
    PARTS.set(this, { mesh, evaluation: new Evaluation({ agent, evaluation, approvalWait, ...mesh }) });
    this.fetch = fetchInto(mesh, true);
    this.fetchAnswers = fetchInto(mesh, false);
  }

  /**
   * The agent that was enrolled on this machine: `aegis agent enroll`, or `aegis up` for its own.
   *
   * `AEGIS_AGENT_FOLDER`, `AEGIS_DIR` and `AEGIS_AGENT` say which (docs/sdk-node.md). Asks nobody for anything yet.
   * Throws AegisUnavailable, which says what to do, and RangeError for a wait that is none.
   */
  static fromEnv(environment: Environment = process.env, options: AegisOptions = {}): Aegis {
    const enrolment = findEnrolment(environment, homedir(), process.cwd());
    return new Aegis(enrolment, loadKey(join(enrolment.folder, KEY_FILE)), options);
  }

  [inspect.custom](): string {
    return `Aegis(${this.agent})`;
  }

  toJSON(): { readonly agent: string } {
    return { agent: this.agent };
  }

  /**
   * What this one request has to carry, once: a retry and each hop of a redirect need their own.
   *
   * `url` and `body` are as they are sent, to the byte. Rejects with AegisUnavailable, and with TypeError for a URL that
   * is none of a call: then nothing may be sent.
   */
  async headers(method: string, url: string, body: Uint8Array): Promise<Record<string, string>> {
    const token = await this.#tokens.token();
    return { "x-aegis-token": token, "x-aegis-proof": this.#key.proof(method, url, token, body) };
  }

  /**
   * The forward proxy that a request for this URL goes through, null for one at the mesh's reverse routes.
   *
   * Throws AegisUnavailable where the mesh has no way there, and TypeError for a URL that is none of a call.
   */
  proxyFor(url: string): string | null {
    const { proxy, reverse } = this.#enrolment;
    const origin = originOf(url);
    if (reverse !== "" && origin === originOf(reverse)) {
      return null;
    }
    if (proxy === "") {
      throw new AegisUnavailable(`the mesh of ${this.agent} has no forward proxy, and ${origin} is not the mesh`);
    }
    return proxy;
  }

  /** The base URL of a tool of the catalogue at the mesh's reverse routes. Throws AegisUnavailable. */
  toolUrl(tool: string): string {
    if (this.#enrolment.reverse === "") {
      throw new AegisUnavailable(`the mesh of ${this.agent} has no reverse routes; call the tool's own URL`);
    }
    return `${this.#enrolment.reverse}/${tool}`;
  }

  /** How a held call stands. Rejects with AegisUnavailable. */
  standing(approvalId: string): Promise<Standing> {
    return this.#control.standing(approvalId);
  }

  /**
   * As `fetch`, but a held call waits until a person has decided, and then gives its result; `onPending` hears of it.
   *
   * The `signal` of the call ends the wait, too. Rejects as `fetch` and `ApprovalNeeded.wait` do. A client of MCP that is
   * given it waits as well.
   */
  fetchWhenApproved(options: PendingOptions = {}): MeshFetch {
    return patientFetchInto(partsOf(this).mesh, options);
  }

  /**
   * A plain function as a tool that is judged: each call of it is asked about before it is made, with its arguments.
   *
   * The function takes one object of named arguments, first. What policy redacts is redacted in them and in the result.
   * Calls reject with AegisDenied, ApprovalNeeded (whose `wait` gives the result), and AegisUnavailable: the function was
   * not called then.
   */
  wrap<F extends (args: never, ...more: never[]) => unknown>(
    called: F,
    options: WrapOptions,
  ): (...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>> {
    return wrapFunction(partsOf(this).evaluation, called, options);
  }

  /** Stop renewing the token. Calls that are made afterwards reject with AegisUnavailable. */
  close(): void {
    this.#tokens.close();
    this.#connections.close();
  }
}

function originOf(url: string): string {
  return new URL(targetUri(url)).origin;
}

function authoritiesOf(path: string): string | undefined {
  if (path === "") {
    return undefined;
  }
  let content: string;
  try {
    content = readFileSync(path, "utf-8");
  } catch (fault) {
    throw new AegisUnavailable(`${path}: no certificate authorities: ${reason(fault)}`);
  }
  try {
    new X509Certificate(content);
  } catch {
    throw new AegisUnavailable(`${path}: no certificate authorities: not in PEM`);
  }
  return content;
}
