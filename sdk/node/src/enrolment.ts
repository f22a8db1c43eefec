/** Which agent this process is, where its tokens come from, where its mesh is: what enrolment left on this machine. */

import { readFileSync, readdirSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

import { AegisUnavailable } from "./errors.js";
import { reason, targetUri } from "./key.js";
import { type Members, memberOf, parseObject, textOf } from "./strict-json.js";

export const KEY_FILE = "key.pem";
const FOLDER_VARIABLE = "AEGIS_AGENT_FOLDER";
const STATE_VARIABLE = "AEGIS_DIR";
const EVALUATION_VARIABLE = "AEGIS_EVALUATION";
const AGENT_VARIABLE = "AEGIS_AGENT";
const TOKEN_PATH = "/v1/token";
const FILE = "agent.json";
const MESH_FILE = "mesh.json";
const MEMBERS = ["agent", "token_endpoint", "proxy", "reverse", "authorities"] as const;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){2}$/;
const ENROL = "enrol it with: aegis agent enroll CODE --control URL";

export type Environment = Readonly<Record<string, string | undefined>>;

/** An agent and its mesh. `proxy`, `reverse` and `evaluation` are base URLs, "" for what the mesh does not have. */
export interface Enrolment {
  /** org/tenant/agent. */
  readonly agent: string;
  readonly folder: string;
  readonly tokenEndpoint: string;
  readonly proxy: string;
  readonly reverse: string;
  /** Where calls of plain functions are judged (OpenID AuthZEN). */
  readonly evaluation: string;
  /** A file of the certificate authorities to trust, "" for the system's. */
  readonly authorities: string;
}

/** The base URL of the control plane. */
export function controlOf(enrolment: Enrolment): string {
  const endpoint = enrolment.tokenEndpoint;
  return endpoint.endsWith(TOKEN_PATH) ? endpoint.slice(0, -TOKEN_PATH.length) : endpoint;
}

/**
 * The agent that the environment means.
 *
 * `AEGIS_AGENT_FOLDER` is its folder. Else it is the one named by `AEGIS_AGENT`, or the only one, among those of the
 * mesh whose state folder is `AEGIS_DIR`, else among this user's; who has none is an agent of the mesh in `.aegis` of
 * the folder `here`. `AEGIS_EVALUATION` is where functions are asked about, where that is not at the mesh of this machine.
 * Throws AegisUnavailable, which says what to do.
 */
export function findEnrolment(environment: Environment, home: string, here: string): Enrolment {
  const enrolment = ofEnvironment(environment, home, here);
  const evaluation = environment[EVALUATION_VARIABLE] ?? "";
  if (evaluation === "") {
    return enrolment;
  }
  requireUrls(EVALUATION_VARIABLE, evaluation);
  return { ...enrolment, evaluation: withoutSlash(evaluation) };
}

function ofEnvironment(environment: Environment, home: string, here: string): Enrolment {
  const folder = environment[FOLDER_VARIABLE] ?? "";
  if (folder !== "") {
    return read(folder);
  }
  const settings = environment["XDG_CONFIG_HOME"] ?? "";
  const own = join(isAbsolute(settings) ? settings : join(home, ".config"), "aegis", "agents");
  let mesh = environment[STATE_VARIABLE] ?? "";
  if (mesh === "" && enrolled(own).length === 0 && isFolder(join(here, ".aegis", "agents"))) {
    mesh = join(here, ".aegis");
  }
  const agents = mesh === "" ? own : join(mesh, "agents");
  const enrolment = read(join(agents, chosen(agents, environment[AGENT_VARIABLE] ?? "")));
  return mesh === "" ? enrolment : atItsMesh(enrolment, mesh);
}

function chosen(agents: string, name: string): string {
  if (name !== "" && !NAME.test(name)) {
    throw new AegisUnavailable(`${AGENT_VARIABLE} is not ORG/TENANT/AGENT`);
  }
  const names = enrolled(agents);
  const [only, ...more] = names;
  if (name !== "" ? names.includes(name) : only !== undefined && more.length === 0) {
    return name || (only ?? "");
  }
  if (name !== "" || only === undefined) {
    throw new AegisUnavailable(`no agent ${name || "at all"} is enrolled in ${agents}; ${ENROL}`);
  }
  throw new AegisUnavailable(`say which agent in ${AGENT_VARIABLE}; enrolled are ${names.join(", ")}`);
}

function enrolled(agents: string): string[] {
  const names = folders(agents).flatMap((org) =>
    folders(join(agents, org)).flatMap((tenant) =>
      folders(join(agents, org, tenant)).map((agent) => `${org}/${tenant}/${agent}`),
    ),
  );
  return names.filter((name) => statSync(join(agents, name, FILE), { throwIfNoEntry: false }) !== undefined).sort();
}

function folders(path: string): string[] {
  if (!isFolder(path)) {
    return [];
  }
  try {
    return readdirSync(path).filter((name) => isFolder(join(path, name)));
  } catch (fault) {
    throw new AegisUnavailable(`${path} cannot be read: ${reason(fault)}`);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function read(folder: string): Enrolment {
  const path = join(folder, FILE);
  const members = object(path, `no agent is enrolled in ${folder}; ${ENROL}`);
  const [agent = "", tokenEndpoint = "", proxy = "", reverse = "", authorities = ""] = MEMBERS.map((name) =>
    textOf(members, name),
  );
  const areTexts = MEMBERS.every((name) => typeof memberOf(members, name) === "string");
  if (!areTexts || agent === "" || tokenEndpoint === "") {
    throw new AegisUnavailable(`${path}: not what enrolment writes; enrol the agent anew: aegis agent enroll CODE`);
  }
  const evaluation = textOf(members, "evaluation"); // enrolments of before have none
  requireUrls(path, tokenEndpoint, proxy, reverse, evaluation);
  const places = { tokenEndpoint, proxy, reverse: withoutSlash(reverse), evaluation: withoutSlash(evaluation) };
  return { agent, folder, ...places, authorities };
}

/** The enrolment with the addresses that a mesh on this machine has now. */
function atItsMesh(enrolment: Enrolment, state: string): Enrolment {
  const path = join(state, MESH_FILE);
  const facts = object(path, `no mesh runs in ${state}; start it with: aegis up --dir ${state}`);
  const [control = "", proxy = "", reverse = "", folder = ""] = ["control", "proxy", "reverse", "state"].map((name) =>
    textOf(facts, name),
  );
  const areTexts = ["control", "proxy", "reverse"].every((name) => typeof memberOf(facts, name) === "string");
  if (!areTexts || control === "") {
    throw new AegisUnavailable(`${path}: not what a running mesh writes; start it with: aegis up --dir ${state}`);
  }
  const evaluation = textOf(facts, "evaluation");
  requireUrls(path, control, proxy, reverse, evaluation);
  const bundle = join(folder, "ca", "bundle.pem");
  const isThere = statSync(bundle, { throwIfNoEntry: false })?.isFile() ?? false;
  return {
    ...enrolment,
    tokenEndpoint: `${withoutSlash(control)}${TOKEN_PATH}`,
    proxy,
    reverse: withoutSlash(reverse),
    evaluation: withoutSlash(evaluation),
    authorities: isThere ? bundle : enrolment.authorities,
  };
}

function requireUrls(path: string, endpoint: string, ...places: string[]): void {
  for (const url of [endpoint, ...places.filter((place) => place !== "")]) {
    try {
      targetUri(url);
    } catch {
      throw new AegisUnavailable(`${path}: ${JSON.stringify(url)} is no http:// or https:// address`);
    }
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function object(path: string, missing: string): Members {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (fault) {
    const why = reason(fault);
    throw new AegisUnavailable(why.startsWith("No such") ? missing : `${path} cannot be read: ${why}`);
  }
  try {
    return parseObject(content);
  } catch (fault) {
    throw new AegisUnavailable(`${path} cannot be read: ${(fault as Error).message}`);
  }
}
