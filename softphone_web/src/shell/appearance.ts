/** Light, dark, or as the device: kept on this device. */
import { useSyncExternalStore } from "react";

export type Appearance = "system" | "light" | "dark";
export const APPEARANCES: readonly Appearance[] = ["system", "light", "dark"];
const KEPT = "beffroi.appearance";
const watchers = new Set<() => void>();

export function appearance(): Appearance {
  const value = localStorage.getItem(KEPT);
  return value === "light" || value === "dark" ? value : "system";
}

export function look(chosen: Appearance): void {
  localStorage.setItem(KEPT, chosen);
  show();
  for (const watcher of watchers) watcher();
}

export function show(): void {
  document.documentElement.dataset.appearance = appearance();
}

export function useAppearance(): Appearance {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, appearance);
}
