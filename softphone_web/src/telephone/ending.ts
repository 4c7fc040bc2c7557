/** Why a call ended, from what the node said: a SIP status, or the Reason that came with it (RFC 3326). */
import type { Ending } from "./shapes";

const BY_STATUS: Readonly<Record<number, Ending>> = {
  401: "not_signed_in",
  403: "not_allowed",
  404: "no_such_number",
  407: "not_signed_in",
  408: "no_answer",
  410: "no_such_number",
  480: "no_answer",
  484: "no_such_number",
  486: "busy",
  487: "given_up",
  488: "no_sound",
  500: "server",
  503: "server",
  504: "server",
  600: "busy",
  603: "declined",
  604: "no_such_number",
  606: "no_sound",
};

/** RFC 3326 section 2 and ITU-T Q.850: what operators say of calls that end outside. */
const BY_Q850: Readonly<Record<number, Ending>> = {
  1: "no_such_number",
  3: "unreachable",
  16: "over",
  17: "busy",
  18: "no_answer",
  19: "no_answer",
  20: "unreachable",
  21: "declined",
  22: "no_such_number",
  27: "unreachable",
  28: "no_such_number",
  31: "over",
  34: "server",
  38: "server",
  41: "server",
};

export interface Reasoned {
  /** The status of the answer that ended it; undefined for a BYE, a CANCEL, or nothing at all. */
  readonly status: number | undefined;
  /** The values of its Reason headers. */
  readonly reasons: readonly string[];
}

/** Whether it was answered by another telephone of the same person (RFC 3326 section 3.1). */
function isElsewhere(reasons: readonly string[]): boolean {
  return reasons.some((reason) => /^\s*SIP\s*;.*\bcause\s*=\s*200\b/i.test(reason));
}

/** Why it ended, as far as that can be said; otherwise: what is said where nothing else is known. */
export function endingOf({ status, reasons }: Reasoned, otherwise: Ending): Ending {
  if (isElsewhere(reasons)) return /transferred/i.test(reasons.join()) ? "transferred" : "elsewhere";
  for (const reason of reasons) {
    const cause = /\bcause\s*=\s*(\d{1,3})\b/i.exec(reason)?.[1];
    if (cause === undefined) continue;
    const known = /^\s*Q\.850\b/i.test(reason) ? BY_Q850[Number(cause)] : BY_STATUS[Number(cause)];
    if (known !== undefined && known !== "over") return known;
  }
  if (status === undefined) return otherwise;
  return BY_STATUS[status] ?? (status >= 500 ? "server" : otherwise);
}
