/** Which page an address is, and which pages somebody may open. */
import { PAGES, PLACES, type PageEntry, type Place } from "../pages";
import type { Right } from "../server/session";
import { within } from "./place";

export interface Found {
  readonly entry: PageEntry;
  readonly params: Readonly<Record<string, string>>;
}

export function pageAt(path: string): Found | undefined {
  for (const entry of PAGES) {
    const params = within(entry.path, path);
    if (params !== undefined) return { entry, params };
  }
  return undefined;
}

export function isOpen(entry: PageEntry, rights: readonly Right[]): boolean {
  return entry.right === "anybody" || rights.includes(entry.right);
}

export function openTo(rights: readonly Right[]): readonly PageEntry[] {
  return PAGES.filter((entry) => entry.right !== "anybody" && isOpen(entry, rights));
}

/** The places where somebody may open a page, each with the first one. */
export function placesOf(rights: readonly Right[]): readonly { place: Place; first: PageEntry }[] {
  const pages = openTo(rights);
  return PLACES.flatMap((place) => {
    const first = pages.find((page) => page.place === place && page.menu !== false);
    return first === undefined ? [] : [{ place, first }];
  });
}
