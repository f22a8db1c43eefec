// axios over the mesh: its own answers and errors, but for refusals.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AegisDenied, AegisUnavailable } from "@aegis-authz/agent";
import { axiosAdapter } from "@aegis-authz/agent/axios";
import axios from "axios";

import { claimsOf, json, smallMesh } from "../support.mjs";

const TOOL = "http://tool.example";
const PROBLEM = { "content-type": "application/problem+json", "x-aegis-decision": "deny" };

function answering(request, response, body) {
  const path = new URL(request.url).pathname;
  if (path === "/denied") {
    json(response, 403, { reason: "POLICY_DENIED", detail: "No." }, PROBLEM);
  } else if (path === "/start") {
    response.writeHead(307, { location: "/next" }).end();
  } else {
    json(response, path === "/missing" ? 404 : 200, { body });
  }
}

test("a request arrives as axios has it, each hop with a proof and a key of one call", async (t) => {
  const { aegis, requests } = await smallMesh(t, answering);
  const client = axios.create({ adapter: axiosAdapter(aegis, axios), baseURL: TOOL });
  const answer = await client.post("/start", { amount: 1 }, { params: { a: "b c" } });
  assert.deepEqual([answer.status, answer.data], [200, { body: '{"amount":1}' }]);
  assert.deepEqual(requests.map(({ url }) => url), [`${TOOL}/start?a=b+c`, `${TOOL}/next`]);
  assert.equal(new Set(requests.map(({ headers }) => claimsOf(headers["x-aegis-proof"]).jti)).size, 2);
  const [key, ...keys] = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.match(key, /^[0-9a-f-]{36}$/);
  assert.deepEqual(keys, [key]);
});

test("a call that is made again with its configuration is the same call to the tool", async (t) => {
  const { aegis, requests } = await smallMesh(t, answering);
  const client = axios.create({ adapter: axiosAdapter(aegis, axios) });
  const fault = await client.post(`${TOOL}/missing`, {}).catch((error) => error);
  assert.deepEqual([fault.name, fault.response.status], ["AxiosError", 404]);
  await client.request(fault.config).catch(() => undefined);
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.deepEqual([keys.length, new Set(keys).size], [2, 1]);
});

test("a refusal is an AegisError, and no option leads past the mesh", async (t) => {
  const { aegis, requests } = await smallMesh(t, answering);
  const client = axios.create({ adapter: axiosAdapter(aegis, axios) });
  await assert.rejects(client.get(`${TOOL}/denied`), (fault) => fault instanceof AegisDenied && fault.message === "No.");
  const elsewhere = { env: { fetch: () => assert.fail("sent past the mesh") }, proxy: { host: "127.0.0.1", port: 1 } };
  assert.equal((await client.get(`${TOOL}/x`, elsewhere)).status, 200);
  assert.equal(requests.length, 2);
  aegis.close();
  await assert.rejects(client.get(TOOL), AegisUnavailable);
});

test("an abort and a timeout are those of axios", async (t) => {
  const { aegis } = await smallMesh(t, () => undefined);
  const client = axios.create({ adapter: axiosAdapter(aegis, axios) });
  await assert.rejects(client.get(TOOL, { timeout: 20 }), (fault) => fault.code === "ECONNABORTED" || fault.code === "ETIMEDOUT");
  await assert.rejects(client.get(TOOL, { signal: AbortSignal.abort() }), axios.isCancel);
});

test("an axios that would send past the mesh is refused", async (t) => {
  const { aegis } = await smallMesh(t, answering);
  for (const VERSION of ["1.11.0", "0.30.2", "1.x", undefined]) {
    assert.throws(() => axiosAdapter(aegis, { ...axios, VERSION }), /would send past the mesh/);
  }
  assert.doesNotThrow(() => axiosAdapter(aegis, { ...axios, VERSION: "2.0.0" }));
});
