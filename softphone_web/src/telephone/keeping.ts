/**
 * What a page that is loaded again must know of its calls, to take them up (RFC 3891): their dialogs, and what was
 * shown of them. It lies in the tab's own storage, for no longer than the node keeps the other one waiting.
 */

/** A dialog as seen from here (RFC 3261 section 12). */
export interface DialogId {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
}

export interface KeptCall {
  readonly id: string;
  readonly dialog: DialogId;
  readonly direction: "in" | "out";
  readonly number: string;
  readonly name: string;
  readonly through: string;
  readonly startedAt: number;
  readonly answeredAt: number;
  readonly isHeld: boolean;
  readonly isMuted: boolean;
}

/** A call of ours that the page left before anybody answered: it can't be taken up, but is said to be cancelled. */
export interface LeftCall {
  readonly number: string;
  readonly name: string;
}

const KEPT = "beffroi.calls";
const LEFT = "beffroi.left";
/** The node ends a call whose telephone has gone about then. */
export const LASTING_SECONDS = 40;

/** The header that takes a dialog's place: the tags as the node sees them (RFC 3891 section 6.1). */
export function replaces({ callId, localTag, remoteTag }: DialogId): string {
  return `Replaces: ${callId};to-tag=${remoteTag};from-tag=${localTag}`;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isKept(value: unknown): value is KeptCall {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Record<keyof KeptCall, unknown>>;
  const dialog = one.dialog as Partial<Record<keyof DialogId, unknown>> | undefined;
  return (
    [one.id, one.number, one.name, one.through].every(isText) &&
    [dialog?.callId, dialog?.localTag, dialog?.remoteTag].every((part) => isText(part) && /^[^\s;,]+$/.test(part)) &&
    (one.direction === "in" || one.direction === "out") &&
    typeof one.startedAt === "number" &&
    typeof one.answeredAt === "number"
  );
}

/** Calls as text; `now`: Unix seconds. */
export function written(calls: readonly KeptCall[], now: number): string {
  return JSON.stringify({ at: now, calls });
}

/** The calls of a text that aren't too old to be taken up; none of what is no such text. */
export function read(text: string | null, now: number): readonly KeptCall[] {
  try {
    const { at, calls } = JSON.parse(text ?? "{}") as { at?: unknown; calls?: unknown };
    if (typeof at !== "number" || Math.abs(now - at) > LASTING_SECONDS || !Array.isArray(calls)) return [];
    return calls.filter(isKept);
  } catch {
    return [];
  }
}

export function keep(calls: readonly KeptCall[]): void {
  if (calls.length === 0) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, written(calls, Date.now() / 1000));
}

export function keptCalls(): readonly KeptCall[] {
  return read(sessionStorage.getItem(KEPT), Date.now() / 1000);
}

/** The calls of a text that were left just now; none of what is no such text. `now`: Unix seconds. */
export function readLeft(text: string | null, now: number): readonly LeftCall[] {
  try {
    const { at, calls } = JSON.parse(text ?? "{}") as { at?: unknown; calls?: unknown };
    if (typeof at !== "number" || Math.abs(now - at) > LASTING_SECONDS || !Array.isArray(calls)) return [];
    return (calls as readonly (Partial<Record<keyof LeftCall, unknown>> | null)[]).flatMap((one) =>
      isText(one?.number) && isText(one.name) ? [{ number: one.number, name: one.name }] : [],
    );
  } catch {
    return [];
  }
}

export function keepLeft(calls: readonly LeftCall[]): void {
  if (calls.length > 0) sessionStorage.setItem(LEFT, JSON.stringify({ at: Date.now() / 1000, calls }));
}

/** What the page before this one left; it is said once. */
export function takeLeft(): readonly LeftCall[] {
  const left = readLeft(sessionStorage.getItem(LEFT), Date.now() / 1000);
  sessionStorage.removeItem(LEFT);
  return left;
}
