/** Reading the mesh's refusals: problem documents (RFC 9457), as docs/reasons.md of Aegis tells them. */

import type { IncomingHttpHeaders } from "node:http";

import { type Ask, AegisDenied, ApprovalNeeded, type Refusal, type Repeat } from "./errors.js";
import { isMembers, type Members, memberOf, objectOrNone, textOf } from "./strict-json.js";

const DECISION = "x-aegis-decision";
const HELD = "approval_needed";
const LETS_THROUGH: readonly string[] = ["allow", "sanitize"];
const UNREAD = "The call was refused. Do not repeat it as it is.";

/**
 * Whether an answer is a refusal that its caller must be told as an error.
 *
 * A refusal in the words of MCP is the result of the tool call, which clients of MCP show to the model: that one stays
 * an answer.
 */
export function isRefusal(headers: IncomingHttpHeaders): boolean {
  const decision = text(headers, DECISION);
  const [mediaType = ""] = text(headers, "content-type").split(";", 1);
  const isRpc = mediaType.trim().toLowerCase() === "application/json"; // the mesh writes no other refusal under this type
  return decision !== "" && !LETS_THROUGH.includes(decision) && !isRpc;
}

/** Whether an answer in the words of MCP says that its call is held: a person decides it, and then it is made again. */
export function isHeld(headers: IncomingHttpHeaders): boolean {
  return text(headers, DECISION) === HELD && text(headers, "x-aegis-approval-id") !== "";
}

/**
 * The error for an answer that `isRefusal`. What cannot be read of it is a denial that names nothing.
 *
 * `ask` says how an approval stands, `repeat` makes the call again.
 */
export function refusalError(
  status: number,
  headers: IncomingHttpHeaders,
  body: Uint8Array,
  ask: Ask,
  repeat: Repeat<Response>,
): AegisDenied | ApprovalNeeded {
  const isHeld = text(headers, DECISION) === HELD;
  return errorOf(status, headers, facts(objectOrNone(body)), isHeld, ask, repeat);
}

/** The error that says what these members of a problem document say. */
export function errorOf<R>(
  status: number,
  headers: IncomingHttpHeaders,
  members: Members,
  isHeld: boolean,
  ask: Ask,
  repeat: Repeat<R>,
): AegisDenied | ApprovalNeeded<R> {
  const wait = text(headers, "retry-after");
  const refusal: Refusal = {
    reason: textOf(members, "reason"),
    sentence: textOf(members, "detail") || UNREAD,
    decisionId: text(headers, "x-aegis-decision-id") || textOf(members, "decision_id"),
    status,
    retry: textOf(members, "retry") || "never",
    retryAfter: /^[0-9]+$/.test(wait) ? Number(wait) : undefined,
  };
  const approval = memberOf(members, "approval");
  if (isHeld && isMembers(approval) && textOf(approval, "id") !== "") {
    const end = memberOf(approval, "expires_at");
    const expiresAt = typeof end === "number" ? end : 0;
    return new ApprovalNeeded(refusal, textOf(approval, "id"), expiresAt, ask, repeat);
  }
  return new AegisDenied(refusal);
}

/** Those of a problem document; of the result of a tool what stands in its `_meta` and its text (isHeld). */
function facts(members: Members): Members {
  const result = memberOf(members, "result");
  const meta = isMembers(result) ? memberOf(result, "_meta") : undefined;
  const own = isMembers(meta) ? memberOf(meta, "aegis") : undefined;
  if (!isMembers(result) || !isMembers(own)) {
    return members;
  }
  const content = memberOf(result, "content");
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  return { ...own, detail: isMembers(first) ? textOf(first, "text") : "" };
}

function text(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
