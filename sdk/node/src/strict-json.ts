/** Objects in JSON as others must read them, too: no member twice. */

export type Members = Readonly<Record<string, unknown>>;

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/gs;

/** The object in the text. Throws SyntaxError for anything else, and for a member that stands twice. */
export function parseObject(content: Uint8Array): Members {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw new SyntaxError("not UTF-8");
  }
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError("not an object");
  }
  requireUniqueMembers(text);
  return value as Members;
}

/** The object in the text, one without members where it is none, or is nested too deep. */
export function objectOrNone(content: Uint8Array): Members {
  try {
    return parseObject(content);
  } catch (fault) {
    if (fault instanceof SyntaxError || fault instanceof RangeError) {
      return {};
    }
    throw fault;
  }
}

/** A member that is a text, "" for one that is not. */
export function textOf(members: Members, name: string): string {
  const value = memberOf(members, name);
  return typeof value === "string" ? value : "";
}

/** A member, undefined where there is none: what every object has is no member. */
export function memberOf(members: Members, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}

/** Whether this is an object, and no list. */
export function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `text` is JSON already: a colon outside of a string follows a member's name. */
function requireUniqueMembers(text: string): void {
  const objects: (Set<string> | null)[] = [];
  let latest = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === "{" || token === "[") {
      objects.push(token === "{" ? new Set() : null);
    } else if (token === "}" || token === "]") {
      objects.pop();
    } else if (token === ":") {
      const name = JSON.parse(latest) as string;
      const members = objects.at(-1);
      if (!members || members.has(name)) {
        throw new SyntaxError("a member stands twice");
      }
      members.add(name);
    } else {
      latest = token;
    }
  }
}
