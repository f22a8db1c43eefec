// Held calls that wait by themselves, and what makes a call the same call to its tool.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AegisDenied, ApprovalNeeded } from "../dist/index.js";
import { claimsOf, json, serving, smallMesh } from "./support.mjs";

const TOOL = "http://tool.example/pay";
const PAYMENT = { method: "POST", body: "{}" };

function hold(response, inMcp) {
  const approval = { id: "apr_1", expires_at: Date.now() / 1000 + 60 };
  const headers = { "x-aegis-decision": "approval_needed", "x-aegis-approval-id": "apr_1", "x-aegis-decision-id": "d1" };
  if (inMcp) {
    const meta = { aegis: { reason: "APPROVAL_NEEDED", decision_id: "d1", approval } };
    const result = { content: [{ type: "text", text: "Held." }], isError: true, _meta: meta };
    json(response, 200, { jsonrpc: "2.0", id: 1, result }, headers);
  } else {
    const problem = { ...headers, "content-type": "application/problem+json" };
    json(response, 403, { detail: "Held.", reason: "APPROVAL_NEEDED", approval }, problem);
  }
}

/** A mesh whose every second call is let through, and whose person says `state`. */
async function holdingMesh(t, state, inMcp = false) {
  const control = await serving(t, (request, response) => {
    const token = { access_token: "t1", token_type: "DPoP", expires_in: 300 };
    json(response, 200, request.url === "/v1/token" ? token : { state: state(), detail: "Said." });
  });
  let calls = 0;
  const answer = (_, response) => ((calls += 1) % 2 === 1 ? hold(response, inMcp) : json(response, 201, { is: "done" }));
  return smallMesh(t, answer, { tokenEndpoint: `${control.url}/v1/token` });
}

for (const [words, inMcp] of [["HTTP", false], ["MCP", true]]) {
  test(`a call that is held in the words of ${words} gives its result after the approval, and somebody hears of it`, async (t) => {
    const { aegis, requests } = await holdingMesh(t, () => "approved", inMcp);
    const pending = [];
    const fetch = aegis.fetchWhenApproved({ onPending: (held) => pending.push(held) });
    const answer = await fetch(TOOL, PAYMENT);
    assert.deepEqual([answer.status, await answer.json()], [201, { is: "done" }]);
    const [{ approvalId, sentence, reason, decisionId }] = pending;
    assert.deepEqual([approvalId, sentence, reason, decisionId], ["apr_1", "Held.", "APPROVAL_NEEDED", "d1"]);
    assert.equal(new Set(requests.map(({ headers }) => claimsOf(headers["x-aegis-proof"]).jti)).size, 2);
    assert.equal(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1);
  });
}

test("a person's no, the end of the patience and an abort end the wait", async (t) => {
  let state = "denied";
  const { aegis, requests } = await holdingMesh(t, () => state);
  await assert.rejects(aegis.fetchWhenApproved()(TOOL, PAYMENT), (fault) => fault instanceof AegisDenied);
  requests.length = 0;
  const { aegis: other } = await holdingMesh(t, () => "pending");
  await assert.rejects(other.fetchWhenApproved({ seconds: 0 })(TOOL, PAYMENT), { name: "TimeoutError" });
  const third = await holdingMesh(t, () => "pending");
  const given = new AbortController();
  const onPending = () => given.abort(new Error("enough"));
  await assert.rejects(third.aegis.fetchWhenApproved({ onPending })(TOOL, { ...PAYMENT, signal: given.signal }), /enough/);
  assert.equal(third.requests.length, 1);
});

test("what the hearer throws the call rejects with, and nothing is called", async (t) => {
  const { aegis, requests } = await holdingMesh(t, () => "approved");
  const onPending = () => Promise.reject(new Error("nobody to tell"));
  await assert.rejects(aegis.fetchWhenApproved({ onPending })(TOOL, PAYMENT), /nobody to tell/);
  assert.equal(requests.length, 1);
});

test("a call that is not to be made twice has a key, and its caller's own where there is one", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 200, {}));
  for (const method of ["POST", "PATCH", "PUT", "GET"]) {
    await aegis.fetch(TOOL, { method });
  }
  await aegis.fetch(TOOL, { method: "POST", headers: { "Idempotency-Key": "mine" } });
  const keys = requests.map(({ headers }) => headers["idempotency-key"]);
  assert.deepEqual([keys[2], keys[3], keys[4]], [undefined, undefined, "mine"]);
  assert.match(`${keys[0]} ${keys[1]}`, /^[0-9a-f-]{36} [0-9a-f-]{36}$/);
  assert.notEqual(keys[0], keys[1]);
});

test("a refusal says to clients that repeat calls that it is none of theirs", async (t) => {
  const { aegis } = await holdingMesh(t, () => "approved");
  const held = await aegis.fetch(TOOL, PAYMENT).catch((fault) => fault);
  assert.ok(held instanceof ApprovalNeeded);
  assert.equal(held.code, "AEGIS_APPROVAL_NEEDED");
});
