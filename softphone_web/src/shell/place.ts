/** Where the reader is: the address in the bar, changed without loading the page again. */
import { useSyncExternalStore } from "react";

import { go } from "./arrival";

const watchers = new Set<() => void>();
const guards = new Set<() => boolean>();

function tell(): void {
  go();
  for (const watcher of watchers) watcher();
}
addEventListener("popstate", tell);

export function path(): string {
  return location.pathname;
}

export function usePath(): string {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, path);
}

/** What stands after the question mark, as it was when the page was drawn. */
export function useQuery(): URLSearchParams {
  const search = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => location.search,
  );
  return new URLSearchParams(search);
}

/** Go to a page of ours; `replace` for one that shouldn't be gone back to. */
export function navigate(to: string, { replace = false } = {}): void {
  if (![...guards].every((mayLeave) => mayLeave())) return;
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  scrollTo(0, 0);
  tell();
}

/** Be asked before the reader goes elsewhere; returns how to be asked no more. */
export function guard(mayLeave: () => boolean): () => void {
  guards.add(mayLeave);
  return () => guards.delete(mayLeave);
}

/** What a pattern names in a path: `/history/:call` in `/history/ab1` is `{call: "ab1"}`; undefined if it isn't that. */
export function within(pattern: string, at: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = at.split("/");
  if (wanted.length !== given.length) return undefined;
  const named: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    if (part.startsWith(":")) {
      if (value === "") return undefined;
      try {
        named[part.slice(1)] = decodeURIComponent(value);
      } catch {
        return undefined;
      }
    } else if (part !== value) return undefined;
  }
  return named;
}
