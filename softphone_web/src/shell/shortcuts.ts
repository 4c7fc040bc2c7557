/**
 * Keys that do something: shown beside what they do, and all of them by `?`.
 *
 * Single keys can be turned off (WCAG 2.1.4): a voice that dictates would press them.
 */
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  readonly key: string;
  readonly label: string;
  readonly run: () => void;
}

const KEPT = "beffroi.shortcuts";
const watchers = new Set<() => void>();
let shortcuts: readonly Shortcut[] = [];

function change(next: readonly Shortcut[]): void {
  shortcuts = next;
  for (const watcher of watchers) watcher();
}

export function areOn(): boolean {
  return localStorage.getItem(KEPT) !== "off";
}

export function turn(on: boolean): void {
  localStorage.setItem(KEPT, on ? "on" : "off");
  change([...shortcuts]);
}

/** The keys of what is drawn now. */
export function useShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => shortcuts,
  );
}

/** Make a key do something as long as the component is drawn. An empty key makes nothing. */
export function useShortcut(key: string, label: string, run: () => void): void {
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    if (key === "") return undefined;
    const mine: Shortcut = { key, label, run: () => latest.current() };
    change([...shortcuts, mine]);
    return () => change(shortcuts.filter((other) => other !== mine));
  }, [key, label]);
}

function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (!areOn() || isWriting(event.target)) return;
  const isInDialog = document.querySelector("dialog[open]") !== null;
  const found = shortcuts.findLast((shortcut) => shortcut.key === event.key);
  if (found === undefined || isInDialog) return;
  event.preventDefault();
  found.run();
});
