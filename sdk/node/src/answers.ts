/** Reading the mesh's refusals: problem documents (RFC 9457), as docs/reasons.md of Aegis tells them. */

import type { IncomingHttpHeaders } from "node:http";

import { type Ask, AegisDenied, ApprovalNeeded, type Refusal, type Repeat } from "./errors.js";
import { isMembers, memberOf, objectOrNone, textOf } from "./strict-json.js";

const DECISION = "x-aegis-decision";
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
  repeat: Repeat,
): AegisDenied | ApprovalNeeded {
  const members = objectOrNone(body);
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
  if (text(headers, DECISION) === "approval_needed" && isMembers(approval) && textOf(approval, "id") !== "") {
    const end = memberOf(approval, "expires_at");
    const expiresAt = typeof end === "number" ? end : 0;
    return new ApprovalNeeded(refusal, textOf(approval, "id"), expiresAt, ask, repeat);
  }
  return new AegisDenied(refusal);
}

function text(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}
