/** Who is signed in here, and what they may open. */
import { useSyncExternalStore } from "react";

import { type Language, isChosen, leaveLanguage, speak } from "../language/texts";
import { ServerProblem, api, carry } from "./api";

export type Right =
  | "own"
  | "people.read"
  | "people.change"
  | "devices.read"
  | "devices.change"
  | "calls.read"
  | "calls.control"
  | "history.read"
  | "recordings.listen"
  | "recordings.keep"
  | "recordings.erase"
  | "plan.read"
  | "plan.change"
  | "services.change"
  | "trunks.read"
  | "trunks.change"
  | "accounts.read"
  | "accounts.change"
  | "audit.read"
  | "backup.make"
  | "node.read"
  | "bans.change"
  | "webhooks.change"
  | "identity.change";

export interface Session {
  readonly account: string;
  readonly name: string;
  readonly extension: string;
  readonly roles: readonly string[];
  readonly rights: readonly Right[];
  readonly language: Language | "";
  readonly csrf: string;
  readonly second_factor: "none" | "needed" | "done" | "must_set_up";
  readonly must_change: boolean;
  readonly factors: readonly string[];
  readonly passkeys_work: boolean;
}

/** Whether nothing of signing in is missing: neither a second factor nor a new password. */
export function isWhole(session: Session): boolean {
  return ["none", "done"].includes(session.second_factor) && !session.must_change;
}

/** unknown: not asked yet; away: the server doesn't answer; out: nobody is signed in. */
export type SignedIn =
  | { readonly state: "unknown" | "away" | "out" }
  | { readonly state: "in"; readonly session: Session };

let current: SignedIn = { state: "unknown" };
// A page stays drawn, and hidden, while its reader signs in again: it keeps what it knew.
let last: Session | undefined;
const listeners = new Set<() => void>();

function become(next: SignedIn): void {
  current = next;
  if (next.state === "in" && isWhole(next.session)) last = next.session;
  carrySession(next.state === "in" ? next.session : undefined);
  for (const listener of listeners) listener();
}

/** Send this session's token with what changes something from now on; what is drawn stays as it is. */
export function carrySession(session: Session | undefined): void {
  carry(session?.csrf ?? "", () => become({ state: "out" }));
}

/** Ask the server who is signed in: at the start, after a step of signing in, after a change of rights. */
export async function readSession(): Promise<void> {
  try {
    const session = await api.get<Session>("/session");
    if (session.language !== "" && !isChosen()) speak(session.language, { isKept: false });
    become({ state: "in", session });
  } catch (failure) {
    become({ state: failure instanceof ServerProblem && failure.status === 401 ? "out" : "away" });
  }
}

const atSignOut = new Set<() => Promise<void>>();

/** Have something be done while one is still signed in, when one signs out. */
export function beforeSigningOut(work: () => Promise<void>): void {
  atSignOut.add(work);
}

/** End the session here and on the server, whose cookie is worth nothing afterwards. */
export async function signOut(): Promise<void> {
  try {
    for (const work of atSignOut) await work();
    await api.delete("/session");
  } finally {
    last = undefined;
    leaveLanguage();
    become({ state: "out" });
  }
}

export function signedIn(): SignedIn {
  return current;
}

export function useSignedIn(): SignedIn {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, signedIn);
}

/** The session of whoever is signed in, or was until it ended by itself; undefined when they left. */
export function lastSession(): Session | undefined {
  return last;
}

/** The session of a page that only somebody signed in can see. */
export function useSession(): Session {
  useSignedIn();
  if (last === undefined) throw new Error("this page was drawn before anybody signed in");
  return last;
}

/** Whether the one signed in has this right. */
export function useMay(right: Right): boolean {
  return useSession().rights.includes(right);
}
