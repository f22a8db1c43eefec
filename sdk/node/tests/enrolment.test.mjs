// Which agent a process is: what the environment says, and what is said where it says too little.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { findEnrolment } from "../dist/enrolment.js";
import { Aegis, AegisUnavailable } from "../dist/index.js";
import { folder, newKey, pem, write } from "./support.mjs";

const [FINANCE, REPORT] = ["acme/emea/finance-agent", "acme/emea/report-agent"];
const PLACES = { token_endpoint: "http://127.0.0.1:7000/v1/token", proxy: "http://127.0.0.1:9080", authorities: "" };

function enrol(home, agent, members = {}) {
  const content = { agent, issuer: "aegis", audience: "mesh", ...PLACES, reverse: "http://127.0.0.1:9081/", ...members };
  write(join(home, agent, "agent.json"), JSON.stringify(content));
}

function refuses(find, sentence) {
  assert.throws(find, (fault) => fault instanceof AegisUnavailable && sentence.test(fault.message));
}

test("the only agent of this user is meant", (t) => {
  const home = folder(t);
  enrol(join(home, ".config/aegis/agents"), FINANCE);
  const { agent, proxy, reverse } = findEnrolment({}, home, home);
  assert.deepEqual([agent, proxy, reverse], [FINANCE, "http://127.0.0.1:9080", "http://127.0.0.1:9081"]);
});

test("where functions are asked about may be said by a variable", (t) => {
  const home = folder(t);
  enrol(join(home, ".config/aegis/agents"), FINANCE, { evaluation: "http://127.0.0.1:9191" });
  const find = (place) => findEnrolment({ AEGIS_EVALUATION: place }, home, home).evaluation;
  assert.deepEqual([find(""), find("https://pdp.internal:9192/")], ["http://127.0.0.1:9191", "https://pdp.internal:9192"]);
  refuses(() => find("pdp"), /AEGIS_EVALUATION: "pdp" is no http:\/\/ or https:\/\/ address/);
});

test("of several the one that is named", (t) => {
  const home = folder(t);
  [REPORT, FINANCE].forEach((agent) => enrol(join(home, "aegis/agents"), agent));
  const environment = { XDG_CONFIG_HOME: home };
  const find = (agent) => () => findEnrolment({ ...environment, AEGIS_AGENT: agent }, home, home);
  refuses(find(undefined), new RegExp(`say which agent in AEGIS_AGENT; enrolled are ${FINANCE}, ${REPORT}`));
  assert.equal(find(REPORT)().agent, REPORT);
  refuses(find("acme/emea/other"), /no agent acme\/emea\/other is enrolled/);
  refuses(find("../../x/y/z"), /not ORG\/TENANT\/AGENT/);
  assert.equal(findEnrolment({ AEGIS_AGENT_FOLDER: join(home, "aegis/agents", FINANCE) }, home, home).agent, FINANCE);
});

test("who is not enrolled is told how to, and a mesh that does not run is named", (t) => {
  const home = folder(t);
  refuses(() => findEnrolment({}, home, home), /enrol it with: aegis agent enroll CODE/);
  enrol(join(home, ".aegis/agents"), FINANCE);
  refuses(() => findEnrolment({}, home, home), /no mesh runs in .*; start it with: aegis up/);
  write(join(home, ".aegis/mesh.json"), JSON.stringify({ control: "http://127.0.0.1:7/", proxy: "http://a:1", reverse: "" }));
  const { tokenEndpoint, proxy, reverse } = findEnrolment({}, home, home);
  assert.deepEqual([tokenEndpoint, proxy, reverse], ["http://127.0.0.1:7/v1/token", "http://a:1", ""]);
});

test("a file of another shape is refused", (t) => {
  const home = folder(t);
  const bad = ["", "[]", "{}", '{"agent": "a/b/c", "agent": "d/e/f"}', '{"agent": 1}', '\ufeff{}'];
  bad.push(JSON.stringify({ agent: "a/b/c", ...PLACES, reverse: "ftp://a/" }));
  for (const content of bad) {
    write(join(home, "agent.json"), content);
    refuses(() => findEnrolment({ AEGIS_AGENT_FOLDER: home }, home, home), /agent\.json/);
  }
});

test("an agent needs its key, and authorities that are some", (t) => {
  const home = folder(t);
  enrol(home, FINANCE, { authorities: join(home, "ca.pem") });
  const environment = { AEGIS_AGENT_FOLDER: join(home, FINANCE) };
  refuses(() => Aegis.fromEnv(environment), /key\.pem: No such file or directory/);
  write(join(home, FINANCE, "key.pem"), pem(newKey()));
  refuses(() => Aegis.fromEnv(environment), /ca\.pem: no certificate authorities: No such file/);
  write(join(home, "ca.pem"), "none");
  refuses(() => Aegis.fromEnv(environment), /ca\.pem: no certificate authorities: not in PEM/);
});
