/** What an agent's key signs: a proof for each call (RFC 9449), and the assertion a token is got with (RFC 7523). */

import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { inspect } from "node:util";

import { AegisUnavailable } from "./errors.js";

/** Seconds an assertion lives; the control plane takes at most 60. */
const ASSERTION_LIFE = 30;
const MOST_BYTES = 16_384;
const OTHERS = 0o077;
const OTHERS_OF_ROOTS = 0o037;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };
const PLACE = /^(https?):\/\/([!-.0-[\]-~]*)(\/[!-~]*)?$/i;
const PRINTABLE = /^[!-~]*$/;
const AUTHORITY = /^(\[[0-9a-f:.%]+\]|[^:[\]]+)(?::([0-9]*))?$/i;

/** When a proof is made, in milliseconds since the epoch, and the id that no proof had before. */
export interface ProofMoment {
  readonly milliseconds: number;
  readonly jti: string;
}

/** An agent's private key. It signs and is never shown; all that is seen of it is the thumbprint of its public half. */
export class AgentKey {
  /** RFC 7638. */
  readonly thumbprint: string;
  readonly #key: KeyObject;
  readonly #proofHead: string;
  readonly #assertionHead: string;

  /** `key` is of Ed25519. */
  constructor(key: KeyObject) {
    this.#key = key;
    // the canonical form of RFC 7638 section 3 is the key's JWK, its members in order and without spaces
    const jwk = `{"crv":"Ed25519","kty":"OKP","x":"${createPublicKey(key).export({ format: "jwk" }).x ?? ""}"}`;
    this.thumbprint = digest(jwk);
    this.#proofHead = encoded(`{"alg":"EdDSA","typ":"dpop+jwt","jwk":${jwk}}`);
    this.#assertionHead = encoded(`{"alg":"EdDSA","typ":"JWT","kid":"${this.thumbprint}"}`);
  }

  [inspect.custom](): string {
    return `AgentKey(${this.thumbprint})`;
  }

  /**
   * A proof that is good for this call, once; without a token, the proof a token is asked for with.
   *
   * Throws TypeError for a URL that is none of a call.
   */
  proof(method: string, url: string, token: string, body: Uint8Array, moment: ProofMoment = now()): string {
    const claims = [
      `"jti":${quoted(moment.jti)}`,
      `"htm":${quoted(method)}`,
      `"htu":${quoted(targetUri(url))}`,
      `"iat":${seconds(moment.milliseconds)}`,
    ];
    if (token !== "") {
      claims.push(`"ath":"${digest(token)}"`);
    }
    if (body.byteLength > 0) {
      claims.push(`"bh":"${digest(body)}"`);
    }
    return this.#signed(this.#proofHead, claims);
  }

  /** Says to the token endpoint at this URL, and to nobody else, that we are the agent. */
  assertion(agent: string, endpoint: string): string {
    const { milliseconds, jti } = now();
    const issued = Math.floor(milliseconds / 1000);
    return this.#signed(this.#assertionHead, [
      `"iss":${quoted(agent)}`,
      `"sub":${quoted(agent)}`,
      `"aud":${quoted(endpoint)}`,
      `"jti":${quoted(jti)}`,
      `"iat":${issued}`,
      `"exp":${issued + ASSERTION_LIFE}`,
    ]);
  }

  #signed(head: string, claims: readonly string[]): string {
    const content = `${head}.${encoded(`{${claims.join(",")}}`)}`;
    return `${content}.${sign(null, Buffer.from(content, "ascii"), this.#key).toString("base64url")}`;
  }
}

/** The Ed25519 key in a PEM file that its reader alone can read. Throws AegisUnavailable, which holds no key. */
export function loadKey(path: string): AgentKey {
  let key: KeyObject;
  const content = secret(path);
  try {
    key = createPrivateKey({ key: content, format: "pem" });
  } catch {
    throw new AegisUnavailable(`${path}: no private key in PEM; enrol the agent anew`);
  } finally {
    content.fill(0);
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new AegisUnavailable(`${path}: not an Ed25519 key; enrol the agent anew: aegis agent enroll CODE`);
  }
  return new AgentKey(key);
}

/**
 * The spelling of a URL that a proof is about: scheme and host in lower case, no default port, no fragment.
 *
 * Path and query stay as they are sent, to the byte. Throws TypeError for what is no absolute http or https URL, and for
 * what no request line can hold.
 */
export function targetUri(url: string): string {
  const [start = ""] = url.split("#", 1);
  // the query begins at the first question mark, which may stand where the path would
  const mark = start.indexOf("?");
  const [place, query] = mark < 0 ? [start, ""] : [start.slice(0, mark), start.slice(mark)];
  const [, scheme = "", authority = "", path = "/"] = PLACE.exec(place) ?? [];
  const [, name = "", digits = ""] = AUTHORITY.exec(authority.slice(authority.lastIndexOf("@") + 1)) ?? [];
  const host = name.toLowerCase().replace(/\.$/, "");
  const port = digits === "" ? "" : String(Number(digits));
  if (scheme === "" || host === "" || Number(port) > 65_535 || !PRINTABLE.test(query)) {
    throw new TypeError("not an absolute http or https URL");
  }
  const address = port === "" || port === DEFAULT_PORTS[scheme.toLowerCase()] ? host : `${host}:${port}`;
  return `${scheme.toLowerCase()}://${address}${path}${query === "?" ? "" : query}`;
}

function secret(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (fault) {
    throw new AegisUnavailable(`${path}: ${reason(fault)}; enrol the agent: aegis agent enroll CODE`);
  }
  try {
    // the open file is judged, not the name: what is checked is what is read
    const status = fstatSync(file);
    if (!status.isFile()) {
      throw new AegisUnavailable(`${path}: not a regular file`);
    }
    // root's may be readable by a group: so Kubernetes gives a secret to a process that is not root
    const others = status.uid === 0 && process.geteuid?.() !== 0 ? OTHERS_OF_ROOTS : OTHERS;
    if ((status.mode & others) !== 0) {
      throw new AegisUnavailable(`${path}: others can use this key; run: chmod 600 ${path}`);
    }
    const content = Buffer.alloc(MOST_BYTES);
    return content.subarray(0, readSync(file, content, 0, MOST_BYTES, 0));
  } finally {
    closeSync(file);
  }
}

/** What the system says of a file, without its path twice. */
export function reason(fault: unknown): string {
  const code = fault instanceof Error && "code" in fault ? String(fault.code) : "";
  if (code === "ENOENT") {
    return "No such file or directory";
  }
  return code === "EACCES" ? "Permission denied" : code || String(fault);
}

function now(): ProofMoment {
  return { milliseconds: Date.now(), jti: randomBytes(16).toString("hex") };
}

/** Seconds as Python writes them, so that both make one proof: a whole number has a point, too. */
function seconds(milliseconds: number): string {
  const value = milliseconds / 1000;
  return Number.isInteger(value) ? `${value}.0` : `${value}`;
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function encoded(text: string): string {
  return Buffer.from(text, "ascii").toString("base64url");
}

function digest(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("base64url");
}
