// What several tests share: a folder of their own, a key that enrolment may have written, a server that is there or not.

import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { Aegis } from "../dist/index.js";
import { AgentKey } from "../dist/key.js";

export function folder(test) {
  const path = mkdtempSync(join(tmpdir(), "aegis-node-"));
  test.after(() => rmSync(path, { recursive: true }));
  return path;
}

export function write(path, content, mode = 0o600) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
  return path;
}

export function newKey(type = "ed25519", options = {}) {
  return generateKeyPairSync(type, options).privateKey;
}

export function pem(key) {
  return key.export({ format: "pem", type: "pkcs8" });
}

/** A server that answers by `handler(request, response, body)`; its base URL, and all requests that came. */
export async function serving(test, handler) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const body = Buffer.concat(chunks).toString("utf-8");
    requests.push({ method: request.method, url: request.url, headers: request.headers, body });
    await handler(request, response, body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

export function json(response, status, members, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(members));
}

/** A mesh that issues tokens, and answers calls by `handler`: all requests that came to its forward proxy. */
export async function smallMesh(test, handler, places = {}, options = {}) {
  const issued = [];
  const control = await serving(test, (_, response) => {
    issued.push(`t${issued.length + 1}`);
    json(response, 200, { access_token: issued.at(-1), token_type: "DPoP", expires_in: 300 });
  });
  const gateway = await serving(test, handler);
  const enrolment = {
    agent: "acme/emea/finance-agent",
    folder: "",
    tokenEndpoint: `${control.url}/v1/token`,
    proxy: gateway.url,
    reverse: "",
    evaluation: "",
    authorities: "",
    ...places,
  };
  const aegis = new Aegis(enrolment, new AgentKey(newKey()), options);
  test.after(() => aegis.close());
  return { aegis, issued, requests: gateway.requests };
}

/**
 * A mesh that judges functions: `judge(question)` gives the context of a denial, or of an allow where it has no reason.
 *
 * `preferences` are what they preferred, `questions` those it was asked, `reports` the outcomes it was told, with their tickets.
 */
export async function judgingMesh(test, judge, standing = () => ({ state: "approved", detail: "Approved." }), options = {}) {
  const [questions, reports, preferences] = [[], [], []];
  const redacted = (value) => JSON.parse(JSON.stringify(value).replaceAll("078-05-1120", "[SSN]"));
  const door = await serving(test, (request, response, body) => {
    const document = JSON.parse(body);
    if (request.url === "/access/v1/outcome") {
      reports.push(document);
      const { outcome, result } = document;
      json(response, 200, { outcome, ...(result === undefined ? {} : { result: redacted(result) }) });
      return;
    }
    questions.push({ ...document, proof: claimsOf(request.headers["x-aegis-proof"]) });
    preferences.push(request.headers.prefer);
    const number = questions.length;
    const told = judge({ action: document.action.name, args: document.action.properties }, number);
    const outcome = { endpoint: `${door.url}/access/v1/outcome`, ticket: `ticket ${number}` };
    const context = { decision_id: `d${number}`, ...(told.reason ? {} : { outcome }), ...told };
    json(response, 200, { decision: told.reason === undefined, context });
  });
  const control = await serving(test, (request, response) => {
    const token = { access_token: "t1", token_type: "DPoP", expires_in: 300 };
    json(response, 200, request.url === "/v1/token" ? token : standing(request.url));
  });
  const places = { evaluation: door.url, tokenEndpoint: `${control.url}/v1/token` };
  const mesh = await smallMesh(test, () => undefined, places, options);
  return { ...mesh, questions, reports, preferences, door };
}

/** What a judge says of a call that a person must decide. */
export function heldContext(id = "apr_1") {
  const approval = { id, expires_at: Date.now() / 1000 + 60 };
  return { effect: "approval_needed", reason: "APPROVAL_NEEDED", detail: "Held.", retry: "after_approval", approval };
}

export function deniedContext(detail = "No.") {
  return { effect: "deny", reason: "POLICY_DENIED", detail, retry: "never" };
}

export function claimsOf(jws) {
  return JSON.parse(Buffer.from(jws.split(".")[1], "base64url").toString("utf-8"));
}
