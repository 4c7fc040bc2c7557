/** What the telephone is doing now, for whoever draws it: one snapshot, replaced whole at each change. */
import { useSyncExternalStore } from "react";

import type { PhoneCall, TelephoneSnapshot } from "./shapes";

export const OFF: TelephoneSnapshot = {
  state: "off",
  extension: "",
  name: "",
  calls: [],
  features: { record: false, video: false },
  troubles: [],
  said: undefined,
};

const watchers = new Set<() => void>();
let current: TelephoneSnapshot = OFF;

export function telephoneNow(): TelephoneSnapshot {
  return current;
}

/** Replace what is named; whoever draws the telephone draws it again. */
export function become(change: Partial<TelephoneSnapshot>): void {
  current = { ...current, ...change };
  for (const watcher of watchers) watcher();
}

/** Be told of each change; returns how to be told no more. */
export function watchTelephone(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** The telephone of this browser, drawn again at each change. */
export function useTelephone(): TelephoneSnapshot {
  return useSyncExternalStore(watchTelephone, telephoneNow);
}

/** The calls that somebody can hear or answer: those that have ended stay shown for a moment. */
export function living(calls: readonly PhoneCall[]): readonly PhoneCall[] {
  return calls.filter((call) => call.state !== "ended");
}
