// What is a refusal and what is not, and what its caller is told: as the SDK for Python has it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { isRefusal, refusalError } from "../dist/answers.js";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/answers.json", import.meta.url), "utf-8"));
const never = () => assert.fail("nobody asks");

test("the mesh says in a header whether it refused", () => {
  assert.ok(VECTORS.refusals.length > 5);
  for (const { headers, is_refusal } of VECTORS.refusals) {
    assert.equal(isRefusal(headers), is_refusal, JSON.stringify(headers));
  }
});

test("a refusal is the error of the vectors", () => {
  assert.ok(VECTORS.errors.length > 5);
  for (const { status, headers, body, error } of VECTORS.errors) {
    const told = refusalError(status, headers, Buffer.from(body, "utf-8"), never, never);
    const { name: kind, sentence, reason, decisionId: decision_id } = told;
    const more =
      kind === "ApprovalNeeded"
        ? { approval_id: told.approvalId, expires_at: told.expiresAt }
        : { retryable: told.retryable, retry_after: told.retryAfter ?? null };
    assert.deepEqual({ kind, sentence, reason, decision_id, ...more }, error, body);
    assert.equal(told.status, status);
  }
});
