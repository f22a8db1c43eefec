// Proofs are what a mesh reads, to the byte; a key that others can read is not used.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";

import { AegisUnavailable } from "../dist/index.js";
import { AgentKey, loadKey, targetUri } from "../dist/key.js";
import { claimsOf, folder, newKey, pem, write } from "./support.mjs";

const VECTORS = JSON.parse(readFileSync(new URL("../../vectors/proofs.json", import.meta.url), "utf-8"));

test("a proof of the vectors is what the key makes", () => {
  const key = new AgentKey(createPrivateKey({ key: VECTORS.key, format: "jwk" }));
  assert.equal(key.thumbprint, VECTORS.thumbprint);
  assert.ok(VECTORS.proofs.length > 3);
  for (const { method, url, token, body, milliseconds, jti, proof } of VECTORS.proofs) {
    assert.equal(key.proof(method, url, token, Buffer.from(body, "utf-8"), { milliseconds, jti }), proof);
  }
});

test("a URL is spelt as the mesh spells it", () => {
  for (const [url, target] of Object.entries(VECTORS.targets)) {
    assert.equal(targetUri(url), target, url);
  }
});

test("what is no URL of a call gets no proof", () => {
  const key = new AgentKey(newKey());
  for (const url of [...VECTORS.no_targets, "http://a.example/a b", "http://a.example/\n", "http://a\\b/"]) {
    assert.throws(() => key.proof("GET", url, "t", Buffer.alloc(0)), TypeError, url);
  }
});

test("no two proofs have one id", () => {
  const key = new AgentKey(newKey());
  const proofs = Array.from({ length: 100 }, () => key.proof("GET", "http://a.example/", "t", Buffer.alloc(0)));
  assert.equal(new Set(proofs.map((proof) => claimsOf(proof).jti)).size, 100);
});

test("a key is read and never shown", (t) => {
  const key = newKey();
  const loaded = loadKey(write(join(folder(t), "key.pem"), pem(key)));
  const secret = key.export({ format: "jwk" }).d;
  const text = inspect(loaded, { showHidden: true, depth: 9 }) + JSON.stringify(loaded);
  assert.match(text, new RegExp(`AgentKey\\(${loaded.thumbprint}\\)`));
  assert.ok(!text.includes(secret) && !text.includes("PRIVATE"));
});

test("a file of no use says what to do", (t) => {
  const path = join(folder(t), "key.pem");
  const cases = [
    [pem(newKey()), 0o640, "others can use this key; run: chmod 600"],
    ["not a key", 0o600, "no private key in PEM"],
    [pem(newKey("ec", { namedCurve: "P-256" })), 0o600, "not an Ed25519 key"],
  ];
  assert.throws(() => loadKey(path), /No such file or directory; enrol the agent/);
  cases.forEach(([content, mode, sentence], index) => {
    const file = write(`${path}${index}`, content, mode);
    assert.throws(() => loadKey(file), (fault) => fault instanceof AegisUnavailable && fault.message.includes(sentence));
  });
});
