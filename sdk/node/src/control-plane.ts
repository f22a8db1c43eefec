/** What an agent asks its control plane: for a token, and how a held call stands. */

import type { Connections } from "./connections.js";
import { controlOf, type Enrolment } from "./enrolment.js";
import { AegisUnavailable, type Standing } from "./errors.js";
import { headerOf, readAtMost, send } from "./exchange.js";
import { type AgentKey, targetUri } from "./key.js";
import { type Members, memberOf, objectOrNone, textOf } from "./strict-json.js";

/** How long an answer may take. */
const SECONDS = 10;
const MOST_BYTES = 65_536;
const LONGEST_LIFE = 86_400;
const APPROVAL_ID = /^[A-Za-z0-9_-]{1,128}$/;
const PAUSE = 2;
const NOTHING = new Uint8Array();

/** A token and the seconds it lives from when it was asked for. */
export interface AgentToken {
  readonly text: string;
  readonly life: number;
}

interface Answer {
  readonly status: number;
  readonly members: Members;
  readonly pause: number;
}

/** The control plane of one agent's mesh. */
export class ControlPlane {
  readonly #enrolment: Enrolment;
  readonly #key: AgentKey;
  readonly #connections: Connections;

  constructor(enrolment: Enrolment, key: AgentKey, connections: Connections) {
    this.#enrolment = enrolment;
    this.#key = key;
    this.#connections = connections;
  }

  /** A token that is bound to the key (RFC 7523, RFC 9449). Rejects with AegisUnavailable. */
  async obtain(): Promise<AgentToken> {
    const { tokenEndpoint: url, agent } = this.#enrolment;
    const form = new URLSearchParams({
      grant_type: "client_credentials",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: this.#key.assertion(agent, url),
    });
    const headers = new Headers({
      dpop: this.#key.proof("POST", url, "", NOTHING),
      "content-type": "application/x-www-form-urlencoded",
    });
    const { status, members } = await this.#ask("POST", url, headers, Buffer.from(form.toString(), "ascii"));
    if (status !== 200) {
      throw new AegisUnavailable(`the control plane at ${url} issued no token to ${agent}: ${why(status, members)}`);
    }
    const text = textOf(members, "access_token");
    const life = memberOf(members, "expires_in");
    if (!/^[!-~]+$/.test(text) || memberOf(members, "token_type") !== "DPoP") {
      throw new AegisUnavailable(`${url} answered no token that is bound to a key`);
    }
    if (typeof life !== "number" || !(life > 0 && life <= LONGEST_LIFE)) {
      throw new AegisUnavailable(`${url} did not say how long the token lives`);
    }
    return { text, life };
  }

  /** How a held call stands. Rejects with AegisUnavailable. */
  async standing(approvalId: string): Promise<Standing> {
    if (!APPROVAL_ID.test(approvalId)) {
      throw new AegisUnavailable("the mesh named no approval that could be asked about");
    }
    // the address that an answer names is not asked: what answers a call does not choose whom we call
    const url = `${controlOf(this.#enrolment)}/v1/approvals/${approvalId}/status`;
    const { status, members, pause } = await this.#ask("GET", url, new Headers(), NOTHING);
    const [state, detail] = [memberOf(members, "state"), memberOf(members, "detail")];
    if (status !== 200 || typeof state !== "string" || typeof detail !== "string") {
      throw new AegisUnavailable(`the control plane does not say how ${approvalId} stands: ${why(status, members)}`);
    }
    return { state, sentence: detail, pause };
  }

  /** No redirect is followed: an assertion is for the endpoint that it names. */
  async #ask(method: string, url: string, headers: Headers, body: Uint8Array): Promise<Answer> {
    headers.set("accept", "application/json");
    let content: Buffer | undefined;
    let status: number;
    let pause: string;
    try {
      // a timeout of the platform does not keep the process, its connection does
      const hop = { method, url: targetUri(url), headers, body, signal: AbortSignal.timeout(SECONDS * 1000) };
      const answer = await send(this.#connections, hop, {}, null);
      status = answer.statusCode ?? 0;
      pause = headerOf(answer, "retry-after");
      content = await readAtMost(answer, MOST_BYTES);
    } catch (fault) {
      const { message, cause } = fault as Error;
      const detail = cause instanceof Error ? cause.message : message;
      throw new AegisUnavailable(`the control plane does not answer at ${url}: ${detail}`);
    }
    const members = content === undefined ? {} : objectOrNone(content);
    return { status, members, pause: /^[0-9]+$/.test(pause) ? Number(pause) : PAUSE };
  }
}

function why(status: number, members: Members): string {
  const words = ["error", "error_description", "detail"].map((name) => textOf(members, name));
  return words.filter((word) => word !== "").join(": ") || `status ${status}`;
}
