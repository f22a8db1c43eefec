// What leaves, and where it goes: every request through the mesh, each with a proof that was never used.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";

import { AegisDenied, AegisUnavailable, ApprovalNeeded } from "../dist/index.js";
import { claimsOf, json, serving, smallMesh } from "./support.mjs";

const TOOL = "http://tool.example";

function redirecting(status, location) {
  return (request, response, body) => {
    if (new URL(request.url).pathname === "/start") {
      response.writeHead(status, { location });
      response.end("over there");
    } else {
      json(response, 200, { method: request.method, body });
    }
  };
}

const PROBLEM = { "content-type": "application/problem+json", "x-aegis-decision": "deny", "x-aegis-decision-id": "d1" };

test("each hop of a redirect has a proof of its own, for what it sends", async (t) => {
  const { aegis, issued, requests } = await smallMesh(t, redirecting(307, "/next?a=%2F"));
  const answer = await aegis.fetch(`${TOOL}/start`, { method: "POST", body: "{}" });
  assert.deepEqual(await answer.json(), { method: "POST", body: "{}" });
  assert.deepEqual([answer.url, answer.redirected], [`${TOOL}/next?a=%2F`, true]);
  const claims = requests.map(({ headers }) => claimsOf(headers["x-aegis-proof"]));
  assert.deepEqual(claims.map(({ htu }) => htu), [`${TOOL}/start`, `${TOOL}/next?a=%2F`]);
  assert.deepEqual(requests.map(({ url }) => url), claims.map(({ htu }) => htu));
  assert.notEqual(claims[0].jti, claims[1].jti);
  assert.deepEqual(requests.map(({ headers }) => headers["x-aegis-token"]), ["t1", "t1"]);
  assert.equal(issued.length, 1);
});

test("method and body of the next hop are as fetch has them", async (t) => {
  const cases = [
    [301, "POST", "GET"],
    [302, "POST", "GET"],
    [303, "PUT", "GET"],
    [303, "GET", "GET"],
    [301, "PUT", "PUT"],
    [308, "POST", "POST"],
  ];
  for (const [status, method, next] of cases) {
    const { aegis, requests } = await smallMesh(t, redirecting(status, "/next"));
    const body = method === "GET" ? undefined : "body";
    await aegis.fetch(`${TOOL}/start`, { method, body, headers: { "content-type": "text/plain" } });
    const last = requests.at(-1);
    assert.deepEqual([last.method, last.body], [next, next === "GET" ? "" : "body"], `${status} ${method}`);
    assert.equal(last.headers["content-type"], next === "GET" && method !== "GET" ? undefined : "text/plain");
    assert.equal("bh" in claimsOf(last.headers["x-aegis-proof"]), last.body !== "");
  }
});

test("another origin gets none of the caller's credentials", async (t) => {
  const headers = { authorization: "Bearer tool", cookie: "a=b", "x-tool": "yes" };
  const elsewhere = await smallMesh(t, redirecting(302, "http://other.example/next"));
  await elsewhere.aegis.fetch(`${TOOL}/start`, { headers });
  const [first, last] = elsewhere.requests.map((request) => request.headers);
  assert.deepEqual([first.authorization, first.cookie, first["x-tool"]], ["Bearer tool", "a=b", "yes"]);
  assert.deepEqual([last.authorization, last.cookie, last["x-tool"]], [undefined, undefined, "yes"]);
  assert.equal(last.host, "other.example");
});

test("where the mesh has no way a redirect ends, and nothing is sent there", async (t) => {
  const outside = await smallMesh(t, (_, response) => json(response, 200, {}));
  const inside = await smallMesh(t, (_, response) => {
    response.writeHead(302, { location: outside.aegis.proxyFor(TOOL) });
    response.end();
  });
  const reverse = inside.aegis.proxyFor(TOOL);
  const only = await smallMesh(t, () => undefined, { proxy: "", reverse });
  await assert.rejects(only.aegis.fetch(`${only.aegis.toolUrl("tool")}/x`), (fault) => {
    return fault instanceof AegisUnavailable && /has no forward proxy/.test(fault.message);
  });
  assert.deepEqual([inside.requests.length, outside.requests.length], [1, 0]);
  assert.equal(inside.requests[0].url, "/tool/x");
});

test("redirects end: of a loop, by option, and at what is no tool", async (t) => {
  const loop = await smallMesh(t, redirecting(302, "/start"));
  await assert.rejects(loop.aegis.fetch(`${TOOL}/start`), (fault) => /too many redirects/.test(fault.cause.message));
  assert.equal(loop.requests.length, 21);
  await assert.rejects(loop.aegis.fetch(`${TOOL}/start`, { redirect: "error" }), TypeError);
  assert.equal((await loop.aegis.fetch(`${TOOL}/start`, { redirect: "manual" })).status, 302);
  for (const location of ["file:///etc/passwd", "http://u:p@other.example/", "http://["]) {
    const { aegis, requests } = await smallMesh(t, redirecting(302, location));
    await assert.rejects(aegis.fetch(`${TOOL}/start`), TypeError);
    assert.equal(requests.length, 1);
  }
});

test("what a caller says of itself is not sent", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 200, {}));
  const headers = { "proxy-authorization": "Bearer x", "x-aegis-token": "x", "x-aegis-proof": "x", host: "evil.example" };
  await aegis.fetch(`${TOOL}/x`, { headers });
  const [request] = requests;
  assert.deepEqual([request.headers["x-aegis-token"], request.headers.host], ["t1", "tool.example"]);
  assert.equal(request.headers["proxy-authorization"], undefined);
  assert.equal(claimsOf(request.headers["x-aegis-proof"]).htm, "GET");
});

test("no option leads requests past the mesh", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 200, {}));
  await assert.rejects(aegis.fetch(TOOL, { dispatcher: {} }), /dispatcher is not an option here/);
  await assert.rejects(aegis.fetch(TOOL, { integrity: "sha256-x" }), /integrity is not checked/);
  await assert.rejects(aegis.fetch("http://u:p@tool.example/"), TypeError);
  await assert.rejects(aegis.fetch("/x"), TypeError);
  assert.equal(requests.length, 0);
});

test("a stream and a packed answer come through whole", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => {
    response.writeHead(200, [["content-encoding", "gzip"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]].flat());
    response.end(gzipSync("packed"));
  });
  const body = new ReadableStream({
    start(controller) {
      ["a", "b"].forEach((text) => controller.enqueue(Buffer.from(text)));
      controller.close();
    },
  });
  const answer = await aegis.fetch(`${TOOL}/x`, { method: "POST", body, duplex: "half" });
  assert.equal(await answer.text(), "packed");
  assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.deepEqual([requests[0].body, requests[0].headers["content-length"]], ["ab", "2"]);
  assert.equal((await aegis.fetch(`${TOOL}/x`, { method: "HEAD" })).body, null);
});

test("a refusal is an error with a sentence for the model, and shows no credential", async (t) => {
  const { aegis } = await smallMesh(t, (_, response) => {
    json(response, 429, { reason: "RATE", detail: "Wait.", retry: "later" }, { ...PROBLEM, "retry-after": "30" });
  });
  const denied = await aegis.fetch(TOOL).catch((fault) => fault);
  assert.ok(denied instanceof AegisDenied);
  assert.deepEqual([denied.sentence, denied.reason, denied.decisionId], ["Wait.", "RATE", "d1"]);
  assert.deepEqual([denied.retryable, denied.retryAfter, denied.status], [true, 30, 429]);
  const text = inspect([denied, aegis], { showHidden: true, depth: 9 }) + JSON.stringify([denied, aegis]);
  assert.ok(!text.includes('"t1"') && !text.includes("x-aegis-proof") && text.includes("Aegis(acme/emea/finance-agent)"));
  assert.equal((await aegis.fetchAnswers(TOOL)).status, 429);
});

test("a refusal that cannot be read is a denial, and one of MCP is an answer", async (t) => {
  const bodies = ["", "<html>", "[]", '{"detail": 1}', '{"detail": "a", "detail": "b"}', "[".repeat(60_000), "x".repeat(70_000)];
  const { aegis, requests } = await smallMesh(t, (_, response) => {
    response.writeHead(403, PROBLEM);
    response.end(bodies[requests.length - 1]);
  });
  for (const _ of bodies) {
    await assert.rejects(aegis.fetch(TOOL), (fault) => {
      return fault instanceof AegisDenied && fault.message === "The call was refused. Do not repeat it as it is.";
    });
  }
  const rpc = await smallMesh(t, (_, response) => json(response, 200, { result: 1 }, { "x-aegis-decision": "deny" }));
  assert.deepEqual(await (await rpc.aegis.fetch(TOOL)).json(), { result: 1 });
});

test("a held call waits for its person, and is repeated as it was from the hop that was held", async (t) => {
  const states = ["pending", "approved"];
  const asked = [];
  const control = await serving(t, (request, response) => {
    if (request.url === "/v1/token") {
      json(response, 200, { access_token: "t1", token_type: "DPoP", expires_in: 300 });
      return;
    }
    asked.push(request.url);
    json(response, 200, { state: states.shift() ?? "denied", detail: "Why." }, { "retry-after": "0" });
  });
  const places = { tokenEndpoint: `${control.url}/v1/token` };
  const { aegis, requests } = await smallMesh(t, (request, response, body) => {
    const approval = { id: "apr_1", expires_at: Date.now() / 1000 + 60, status_url: "http://elsewhere.example/" };
    if (request.url.endsWith("/start")) {
      response.writeHead(307, { location: "/held" });
      response.end();
    } else if (requests.length === 3) {
      json(response, 200, { body });
    } else {
      json(response, 403, { detail: "Held.", approval }, { ...PROBLEM, "x-aegis-decision": "approval_needed" });
    }
  }, places);
  const given = new AbortController();
  const init = { method: "POST", body: "pay", signal: given.signal };
  const held = await aegis.fetch(`${TOOL}/start`, init).catch((fault) => fault);
  assert.ok(held instanceof ApprovalNeeded);
  given.abort(); // the time of the call is over, that of the person is not
  assert.deepEqual(await (await held.wait({ seconds: 60 })).json(), { body: "pay" });
  assert.deepEqual(asked, ["/v1/approvals/apr_1/status", "/v1/approvals/apr_1/status"]);
  assert.deepEqual(requests.map(({ url }) => url), [`${TOOL}/start`, `${TOOL}/held`, `${TOOL}/held`]);
  assert.equal(new Set(requests.map(({ headers }) => claimsOf(headers["x-aegis-proof"]).jti)).size, 3);
  await assert.rejects(held.wait(), (fault) => fault instanceof AegisDenied && fault.reason === "APPROVAL_DENIED");
  assert.equal(requests.length, 3);
});

test("while nobody decides the wait ends as it was told, and nothing is called", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => {
    const approval = { id: "apr_1", expires_at: Date.now() / 1000 + 60 };
    json(response, 403, { detail: "Held.", approval }, { ...PROBLEM, "x-aegis-decision": "approval_needed" });
  });
  const held = await aegis.fetch(TOOL).catch((fault) => fault);
  // the control plane of this mesh says nothing of approvals: it decides nothing then
  await assert.rejects(held.wait({ seconds: 0 }), { name: "TimeoutError", message: /^approval apr_1: / });
  const given = new AbortController();
  const waiting = held.wait({ signal: given.signal });
  given.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
  await assert.rejects(held.wait({ seconds: -1 }), RangeError);
  assert.equal(requests.length, 1);
});

test("a method is signed as it is sent", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 200, {}));
  for (const method of ["patch", "PATCH", "delete", "x-own"]) {
    await aegis.fetch(TOOL, { method });
    assert.equal(claimsOf(requests.at(-1).headers["x-aegis-proof"]).htm, requests.at(-1).method);
  }
});

test("without a mesh nothing is sent, and a broken connection is nobody's denial", async (t) => {
  const nowhere = "http://127.0.0.1:1";
  const lost = await smallMesh(t, () => undefined, { proxy: nowhere });
  await assert.rejects(lost.aegis.fetch(`${TOOL}/x?secret`), (fault) => {
    return fault instanceof AegisUnavailable && /^the mesh does not answer for http:\/\/tool.example\/x: /.test(fault.message);
  });
  await assert.rejects(lost.aegis.fetch("https://tool.example/"), AegisUnavailable);
  const mute = await smallMesh(t, () => undefined, { tokenEndpoint: `${nowhere}/v1/token` });
  await assert.rejects(mute.aegis.fetch(TOOL), /the control plane does not answer/);
  assert.equal(mute.requests.length, 0);
  const cut = await smallMesh(t, (request) => void request.socket.destroy());
  await assert.rejects(cut.aegis.fetch(TOOL), (fault) => fault instanceof TypeError && fault.cause instanceof Error);
});

test("a call can be given up, before and after its answer began", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => {
    response.writeHead(200);
    response.write("half");
  });
  const before = new AbortController();
  before.abort(new Error("mine"));
  await assert.rejects(aegis.fetch(TOOL, { signal: before.signal }), /mine/);
  assert.equal(requests.length, 0);
  const after = new AbortController();
  const answer = await aegis.fetch(TOOL, { signal: after.signal });
  after.abort(new Error("enough"));
  await assert.rejects(answer.text());
});

test("nothing is sent after the end", async (t) => {
  const { aegis, requests } = await smallMesh(t, (_, response) => json(response, 200, {}));
  await (await aegis.fetch(TOOL)).text();
  aegis.close();
  await assert.rejects(aegis.fetch(TOOL), /this Aegis is closed/);
  assert.equal(requests.length, 1);
});

test("an answer that changes the protocol ends the call", async (t) => {
  const { aegis } = await smallMesh(t, (request) => {
    request.socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
  });
  await assert.rejects(aegis.fetch(`${TOOL}/x`), (fault) => fault instanceof TypeError && /without an answer/.test(fault.cause.message));
});
