// Each undici of the last three, and the platform's fetch: what leaves is signed when it leaves, refusals are errors.

import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { AegisDenied, AegisUnavailable, ApprovalNeeded } from "@aegis-authz/agent";
import { aegisDispatcher } from "@aegis-authz/agent/undici";
import * as undici from "undici";
import * as undici6 from "undici6";
import * as undici7 from "undici7";

import { claimsOf, json, smallMesh } from "../support.mjs";

const TOOL = "http://tool.example";
const PROBLEM = { "content-type": "application/problem+json", "x-aegis-decision": "deny", "x-aegis-decision-id": "d1" };
const deny = (_, response) => json(response, 403, { reason: "POLICY_DENIED", detail: "No." }, PROBLEM);

for (const [version, of] of Object.entries({ 6: undici6, 7: undici7, 8: undici })) {
  test(`undici ${version}: a request arrives through the mesh, with what it was given`, async (t) => {
    const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 201, { is: "done" }));
    const dispatcher = aegisDispatcher(aegis, of.Dispatcher);
    for (const [body, sent] of [["{}", "{}"], [Buffer.from("b"), "b"], [Readable.from(["s", "t"]), "st"]]) {
      const headers = { "x-tool": "yes", "x-aegis-token": "mine", "content-type": "text/plain" };
      const answer = await of.request(`${TOOL}/x?a=%2F`, { dispatcher, method: "POST", body, headers, query: undefined });
      assert.deepEqual([answer.statusCode, await answer.body.json()], [201, { is: "done" }]);
      const request = requests.at(-1);
      const claims = claimsOf(request.headers["x-aegis-proof"]);
      assert.deepEqual([request.url, request.body, request.headers["x-tool"]], [`${TOOL}/x?a=%2F`, sent, "yes"]);
      assert.deepEqual([claims.htm, claims.htu, request.headers["x-aegis-token"]], ["POST", request.url, "t1"]);
    }
  });

  test(`undici ${version}: a refusal is an error, of request as it is and of fetch as the cause`, async (t) => {
    const { aegis, requests } = await smallMesh(t, deny);
    const dispatcher = aegisDispatcher(aegis, of.Dispatcher);
    await assert.rejects(of.request(TOOL, { dispatcher }), (fault) => fault instanceof AegisDenied && fault.message === "No.");
    await assert.rejects(of.fetch(TOOL, { dispatcher }), ({ cause }) => cause instanceof AegisDenied);
    assert.equal(requests.length, 2);
  });

  test(`undici ${version}: a hop and a try have a proof of their own, a refusal is not tried again`, async (t) => {
    let isFirst = true;
    const { aegis, requests } = await smallMesh(t, (request, response) => {
      if (request.url.endsWith("/start")) {
        response.writeHead(307, { location: "/next" }).end();
      } else if (request.url.endsWith("/denied")) {
        deny(request, response);
      } else {
        response.writeHead(isFirst ? 503 : 200).end("done");
        isFirst = false;
      }
    });
    const { interceptors } = of;
    const dispatcher = aegisDispatcher(aegis, of.Dispatcher).compose(
      interceptors.retry({ minTimeout: 1, maxTimeout: 2, maxRetries: 2 }),
      interceptors.redirect({ maxRedirections: 3 }),
    );
    const answer = await of.request(`${TOOL}/start`, { dispatcher });
    assert.deepEqual([answer.statusCode, await answer.body.text()], [200, "done"]);
    const ids = requests.map(({ headers }) => claimsOf(headers["x-aegis-proof"]).jti);
    assert.deepEqual([ids.length >= 3, new Set(ids).size], [true, ids.length]);
    assert.deepEqual(requests.map(({ url, headers }) => claimsOf(headers["x-aegis-proof"]).htu === url).includes(false), false);
    const before = requests.length;
    await assert.rejects(of.request(`${TOOL}/denied`, { dispatcher }), AegisDenied);
    assert.equal(requests.length, before + 1);
  });

  test(`undici ${version}: a large answer arrives whole, and an abort ends it`, async (t) => {
    const large = "x".repeat(3_000_000);
    const { aegis } = await smallMesh(t, (request, response) => {
      if (request.url.endsWith("/half")) {
        response.writeHead(200, { "content-length": "100" });
        response.write("half");
      } else {
        response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(large));
      }
    });
    const dispatcher = aegisDispatcher(aegis, of.Dispatcher);
    assert.equal(await (await of.fetch(TOOL, { dispatcher })).text(), large);
    const given = new AbortController();
    const answer = await of.request(`${TOOL}/half`, { dispatcher, signal: given.signal });
    given.abort();
    await assert.rejects(answer.body.text());
  });

  test(`undici ${version}: without a mesh, and after the end, nothing is sent`, async (t) => {
    const { aegis, requests } = await smallMesh(t, deny, { proxy: "http://127.0.0.1:1" });
    const dispatcher = aegisDispatcher(aegis, of.Dispatcher);
    await assert.rejects(of.request(TOOL, { dispatcher }), AegisUnavailable);
    await assert.rejects(dispatcher.upgrade({ origin: TOOL, path: "/", protocol: "websocket" }), TypeError);
    await dispatcher.close();
    await assert.rejects(of.request(TOOL, { dispatcher }), /this dispatcher is closed/);
    assert.equal(requests.length, 0);
  });
}

test("the platform's fetch goes through it, hops and all, and a held call can be waited for", async (t) => {
  let isHeld = false;
  const { aegis, requests } = await smallMesh(t, (request, response) => {
    const approval = { id: "apr_1", expires_at: Date.now() / 1000 + 60 };
    if (request.url.endsWith("/start")) {
      response.writeHead(302, { location: "/next" }).end();
    } else if (isHeld) {
      json(response, 403, { detail: "Held.", approval }, { ...PROBLEM, "x-aegis-decision": "approval_needed" });
    } else {
      json(response, 200, { is: "done" });
    }
  });
  const dispatcher = aegisDispatcher(aegis, undici7.Dispatcher);
  const answer = await fetch(`${TOOL}/start`, { dispatcher, method: "POST", body: "{}" });
  assert.deepEqual([answer.url, await answer.json()], [`${TOOL}/next`, { is: "done" }]);
  assert.deepEqual(requests.map(({ method }) => method), ["POST", "GET"]);
  isHeld = true;
  await assert.rejects(fetch(TOOL, { dispatcher }), ({ cause }) => cause instanceof ApprovalNeeded && cause.approvalId === "apr_1");
});
