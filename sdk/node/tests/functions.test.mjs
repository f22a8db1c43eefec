// Functions that are tools: asked about before they are called, with what was let through, and reported afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";

import { AegisDenied, AegisUnavailable, ApprovalNeeded } from "../dist/index.js";
import { deniedContext, heldContext, judgingMesh, smallMesh } from "./support.mjs";

const OF = { tool: "payments", action: "pay" };

test("what policy allows is called, with a proof of its own for each question, and its outcome told", async (t) => {
  const { aegis, questions, reports, door } = await judgingMesh(t, () => ({ effect: "allow" }));
  const pay = aegis.wrap(async ({ amount }, more) => `paid ${amount} ${more}`, OF);
  assert.deepEqual(await Promise.all([pay({ amount: 1 }, "a"), pay({ amount: 2 }, "b")]), ["paid 1 a", "paid 2 b"]);
  assert.equal(new Set(questions.map(({ proof }) => proof.jti)).size, 2);
  const [{ proof, ...question }] = questions.filter(({ action }) => action.properties.amount === 1);
  assert.deepEqual([proof.htm, proof.htu], ["POST", `${door.url}/access/v1/evaluation`]);
  assert.deepEqual(question, {
    subject: { type: "agent", id: "acme/emea/finance-agent" },
    resource: { type: "tool", id: "payments" },
    action: { name: "pay", properties: { amount: 1 } },
    context: { obligations: ["redact"] },
  });
  assert.deepEqual(new Set(reports.map(({ ticket }) => ticket)), new Set(["ticket 1", "ticket 2"]));
  assert.deepEqual(reports.map(({ outcome, result }) => [outcome, result]), [["done", undefined], ["done", undefined]]);
});

test("a question may be kept open while a person decides, if the agent says for how long", async (t) => {
  const standing = () => ({ state: "approved", detail: "Approved." });
  const patient = await judgingMesh(t, () => ({ effect: "allow" }), standing, { approvalWait: 20 });
  assert.equal(await patient.aegis.wrap(() => "paid", OF)({ amount: 1 }), "paid");
  const hasty = await judgingMesh(t, () => ({ effect: "allow" }));
  await hasty.aegis.wrap(() => "paid", OF)({ amount: 1 });
  assert.deepEqual([patient.preferences, hasty.preferences], [["wait=20"], [undefined]]);
  for (const approvalWait of [-1, 301, 2.5, Number.NaN, "20"]) {
    await assert.rejects(smallMesh(t, () => undefined, {}, { approvalWait }), RangeError);
  }
});

test("what policy denies is not called", async (t) => {
  const { aegis, reports } = await judgingMesh(t, () => ({ ...deniedContext("Too much."), retry: "later" }));
  const pay = aegis.wrap(() => assert.fail("called"), OF);
  await assert.rejects(pay({ amount: 1 }), (fault) => {
    const { reason, sentence, decisionId, retryable } = fault;
    assert.deepEqual([reason, sentence, decisionId, retryable], ["POLICY_DENIED", "Too much.", "d1", true]);
    return fault instanceof AegisDenied;
  });
  assert.deepEqual(reports, []);
});

test("arguments and result are the redacted ones", async (t) => {
  const obligations = [
    { id: "arguments", type: "redact", properties: { arguments: { note: "[SSN]" } } },
    { id: "result", type: "redact" },
  ];
  const { aegis, reports } = await judgingMesh(t, () => ({ effect: "sanitize", obligations }));
  const given = [];
  const note = aegis.wrap((args) => (given.push(args), { found: "078-05-1120" }), { ...OF, action: "note" });
  assert.deepEqual(await note({ note: "078-05-1120" }), { found: "[SSN]" });
  assert.deepEqual(given, [{ note: "[SSN]" }]);
  assert.deepEqual(reports, [{ ticket: "ticket 1", outcome: "done", result: { found: "078-05-1120" } }]);
});

test("a result that cannot be redacted is shown to nobody", async (t) => {
  const obligations = [{ id: "result", type: "redact" }];
  for (const endpoint of ["http://127.0.0.1:1/x", "nowhere"]) {
    const outcome = { endpoint, ticket: "t" };
    const { aegis } = await judgingMesh(t, () => ({ effect: "sanitize", obligations, outcome }));
    const found = aegis.wrap(() => "078-05-1120", OF);
    await assert.rejects(found(), (fault) => {
      return fault instanceof AegisDenied && fault.reason === "OBLIGATION_UNMET" && !/078/.test(fault.message);
    });
    const cyclic = {};
    cyclic.self = cyclic;
    await assert.rejects(aegis.wrap(() => cyclic, OF)(), AegisDenied);
  }
});

test("an outcome that cannot be told is a warning, for the function was called", async (t) => {
  const outcome = { endpoint: "http://127.0.0.1:1/x", ticket: "t" };
  const { aegis } = await judgingMesh(t, () => ({ effect: "allow", outcome }));
  const warned = new Promise((resolve) => process.once("warning", resolve));
  assert.equal(await aegis.wrap(() => "paid", OF)(), "paid");
  assert.match((await warned).message, /the outcome of d1 was not reported: the mesh's evaluation endpoint cannot be reached/);
});

test("an error of the function is its own, and told to the mesh as a failure", async (t) => {
  const { aegis, reports } = await judgingMesh(t, () => ({ effect: "allow" }));
  const broken = new RangeError("mine");
  await assert.rejects(aegis.wrap(() => Promise.reject(broken), OF)({}), (fault) => fault === broken);
  assert.deepEqual(reports, [{ ticket: "ticket 1", outcome: "failed" }]);
});

test("a held call is called once a person approved it, and judged again then", async (t) => {
  const { aegis, questions } = await judgingMesh(t, (_, number) => (number === 2 ? { effect: "allow" } : heldContext()));
  let calls = 0;
  const pay = aegis.wrap(({ amount }) => `paid ${amount}, ${(calls += 1)}`, OF);
  const held = await pay({ amount: 7 }).catch((fault) => fault);
  assert.ok(held instanceof ApprovalNeeded);
  assert.deepEqual([held.approvalId, calls], ["apr_1", 0]);
  assert.equal(await held.wait(), "paid 7, 1");
  assert.deepEqual(questions.map(({ action }) => action.properties), [{ amount: 7 }, { amount: 7 }]);
});

test("a wrapped function waits by itself where it is told to, and says so", async (t) => {
  const { aegis } = await judgingMesh(t, (_, number) => (number === 2 ? { effect: "allow" } : heldContext()));
  const pending = [];
  const pay = aegis.wrap(() => "paid", { ...OF, onPending: (held) => pending.push(held.approvalId) });
  assert.deepEqual([await pay({}), pending], ["paid", ["apr_1"]]);
});

test("a person's no is a denial, and an abort ends the wait", async (t) => {
  const state = { state: "denied", detail: "Denied." };
  const { aegis } = await judgingMesh(t, () => heldContext(), () => state);
  const pay = aegis.wrap(() => assert.fail("called"), { ...OF, waits: true });
  await assert.rejects(pay({}), (fault) => fault instanceof AegisDenied && fault.reason === "APPROVAL_DENIED");
  state.state = "pending";
  const given = new AbortController();
  const waiting = pay({}, { signal: given.signal });
  given.abort(new Error("enough"));
  await assert.rejects(waiting, /enough/);
});

test("without a mesh, a clear answer or a place to report to, nothing is called", async (t) => {
  const never = () => assert.fail("called");
  const none = await smallMesh(t, () => undefined);
  await assert.rejects(none.aegis.wrap(never, OF)(), /judges no functions/);
  const gone = await smallMesh(t, () => undefined, { evaluation: "http://127.0.0.1:1" });
  await assert.rejects(gone.aegis.wrap(never, OF)(), (fault) => {
    return fault instanceof AegisUnavailable && /evaluation endpoint cannot be reached/.test(fault.message);
  });
  const unclear = [
    { obligations: [{ id: "result", type: "notification" }] },
    { obligations: "redact" },
    { obligations: null },
    { obligations: [{ id: "arguments", type: "redact" }] },
    { outcome: {} },
    { outcome: null },
  ];
  for (const context of unclear) {
    const { aegis } = await judgingMesh(t, () => ({ effect: "allow", ...context }));
    await assert.rejects(aegis.wrap(never, OF)(), AegisUnavailable, JSON.stringify(context));
  }
});

test("what is no object of arguments, or has no place in the catalogue, is a fault of the program", async (t) => {
  const { aegis, questions } = await judgingMesh(t, () => ({ effect: "allow" }));
  for (const args of ["x", 1, [1], null, { big: 1n }]) {
    await assert.rejects(aegis.wrap(() => 1, OF)(args), TypeError);
  }
  assert.throws(() => aegis.wrap(() => 1, { tool: "payments" }), TypeError);
  assert.equal(questions.length, 0);
  function pay() {
    return "paid";
  }
  const wrapped = aegis.wrap(pay, { tool: "payments" });
  assert.deepEqual([wrapped.name, await wrapped()], ["pay", "paid"]);
  assert.equal(questions[0].action.name, "pay");
});
