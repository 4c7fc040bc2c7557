/**
 * A text that isn't in force yet, kept through a reload of the page: in this tab alone, and for whoever wrote it.
 *
 * A text that is too long for the tab's store isn't kept; leaving the page asks first all the same.
 */
export interface Draft {
  /** The version that was in force when its writing began. */
  readonly base: string;
  readonly text: string;
}

const KEPT = "beffroi.plan.draft";

export function keptDraft(account: string): Draft | undefined {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (typeof kept !== "object" || kept === null) return undefined;
    const { by, base, text } = kept as Record<string, unknown>;
    if (by !== account || typeof base !== "string" || typeof text !== "string") return undefined;
    return { base, text };
  } catch {
    return undefined;
  }
}

/** undefined: there is none any more. */
export function keepDraft(account: string, draft: Draft | undefined): void {
  try {
    if (draft === undefined) sessionStorage.removeItem(KEPT);
    else sessionStorage.setItem(KEPT, JSON.stringify({ by: account, ...draft }));
  } catch {
    sessionStorage.removeItem(KEPT);
  }
}
