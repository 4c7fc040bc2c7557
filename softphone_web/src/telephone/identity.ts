/** Who is at the other end, from what the node says in its headers (RFC 3261 section 20.10, RFC 3325). */

export interface Identity {
  readonly number: string;
  readonly name: string;
}

const NAME_ADDR = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*?))\s*<sips?:([^@>;]*)@[^>]*>/i;
const ANONYMOUS = /^(anonymous|anonyme|unknown)$/i;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Number and name of an address; both "" for one that hides itself; undefined for what is no address. */
export function identityOf(header: string | undefined): Identity | undefined {
  const found = NAME_ADDR.exec(header ?? "");
  if (found === null) return undefined;
  const number = decoded(found[3] ?? "");
  if (ANONYMOUS.test(number)) return { number: "", name: "" };
  const name = (found[1]?.replace(/\\(.)/g, "$1") ?? found[2] ?? "").trim();
  return { number, name: name === number || ANONYMOUS.test(name) ? "" : name };
}
