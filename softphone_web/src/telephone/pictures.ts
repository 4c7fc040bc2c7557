/** The pictures of calls: what the other one shows and what is shown of us, in the tab that is the telephone. */
import { useSyncExternalStore } from "react";

export interface Pictures {
  readonly ours: MediaStream | undefined;
  readonly theirs: MediaStream | undefined;
}

const NONE: Pictures = { ours: undefined, theirs: undefined };
const shown = new Map<string, Pictures>();
const watchers = new Set<() => void>();

export function showPictures(call: string, pictures: Partial<Pictures>): void {
  shown.set(call, { ...(shown.get(call) ?? NONE), ...pictures });
  for (const watcher of watchers) watcher();
}

export function hidePictures(call: string): void {
  if (!shown.delete(call)) return;
  for (const watcher of watchers) watcher();
}

export function usePictures(call: string): Pictures {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => shown.get(call) ?? NONE,
  );
}
