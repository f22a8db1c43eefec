// Tokens are there before they are needed, for all calls.

import assert from "node:assert/strict";
import { once, EventEmitter } from "node:events";
import { test } from "node:test";
import { inspect } from "node:util";

import { AegisUnavailable } from "../dist/index.js";
import { TokenKeeper } from "../dist/tokens.js";

class Issuer extends EventEmitter {
  requests = 0;
  issued = 0;
  isAway = false;

  constructor(life) {
    super();
    this.life = life;
  }

  obtain = async () => {
    this.requests += 1;
    if (this.isAway) {
      throw new AegisUnavailable("the control plane does not answer");
    }
    this.issued += 1;
    this.emit("issued");
    return { text: `t${this.issued}`, life: this.life };
  };
}

test("a token is renewed before it ends and nobody waits for that", async (t) => {
  const issuer = new Issuer(0.6);
  const keeper = new TokenKeeper(issuer.obtain);
  t.after(() => keeper.close());
  const process = setInterval(() => undefined, 1000); // the timer of the keeper keeps no process
  t.after(() => clearInterval(process));
  assert.equal(await keeper.token(), "t1");
  await once(issuer, "issued");
  await once(issuer, "issued");
  await Promise.resolve();
  assert.notEqual(keeper.current(), undefined);
  assert.equal(issuer.requests, 3);
});

test("many calls ask once", async (t) => {
  const issuer = new Issuer(60);
  const keeper = new TokenKeeper(issuer.obtain);
  t.after(() => keeper.close());
  const tokens = await Promise.all(Array.from({ length: 64 }, () => keeper.token()));
  assert.deepEqual([...new Set(tokens)], ["t1"]);
  assert.equal(issuer.requests, 1);
});

test("where nobody issues all are told and one asks", async () => {
  const issuer = new Issuer(60);
  issuer.isAway = true;
  const keeper = new TokenKeeper(issuer.obtain);
  for (let times = 0; times < 64; times += 1) {
    await assert.rejects(keeper.token(), /the control plane does not answer/);
  }
  assert.ok(issuer.requests < 10, `${issuer.requests}`);
});

test("the token of before serves while nobody issues", async (t) => {
  const issuer = new Issuer(60);
  const keeper = new TokenKeeper(issuer.obtain);
  t.after(() => keeper.close());
  assert.equal(await keeper.token(), "t1");
  issuer.isAway = true;
  assert.equal(await keeper.token(), "t1");
});

test("a token that has ended is not used", async (t) => {
  const issuer = new Issuer(0.01);
  const keeper = new TokenKeeper(issuer.obtain);
  t.after(() => keeper.close());
  await keeper.token();
  issuer.isAway = true;
  const end = performance.now() + 12;
  while (performance.now() < end); // its whole life, in which no timer runs
  await assert.rejects(keeper.token(), AegisUnavailable);
});

test("a closed keeper gives no token, and shows none", async () => {
  const keeper = new TokenKeeper(new Issuer(60).obtain);
  const waiting = keeper.token();
  await waiting;
  assert.ok(!inspect(keeper, { showHidden: true, depth: 9 }).includes("t1"));
  keeper.close();
  await assert.rejects(keeper.token(), /this Aegis is closed/);
});
