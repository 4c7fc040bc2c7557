/** What the server says of plans, as `pbx/web/plan_shapes.py` writes it. Times are Unix seconds. */
export interface PlanShown {
  readonly version: string;
  readonly text: string;
  readonly masked: boolean;
  readonly running: boolean;
  readonly at: number;
  readonly author: string;
  readonly reason: string;
  readonly in_file: string;
  readonly file: string;
  readonly timezone: string;
  readonly sites: readonly string[];
  readonly trunks: readonly string[];
  readonly trouble: string;
}

export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
  readonly field: string;
}

export interface Checked {
  readonly version: string;
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly warnings: number;
  readonly notes: number;
}

export interface Explanation {
  readonly version: string;
  readonly at: number;
  readonly dialled: string;
  readonly site: string;
  readonly kind: "user" | "service" | "feature" | "trunks" | "refused";
  readonly summary: string;
  readonly caller_id: string;
  readonly anonymous: boolean;
  readonly steps: readonly { readonly line: number; readonly rule: string; readonly outcome: string }[];
}

export type ChangeKind = "emergency" | "inside" | "in" | "part";

export interface Change {
  readonly kind: ChangeKind;
  readonly who: string;
  readonly before: string;
  readonly after: string;
}

export interface Comparison {
  readonly version: string;
  readonly against: string;
  readonly changes: readonly Change[];
  readonly count: number;
  readonly trouble: string;
  readonly findings: readonly Finding[];
  readonly errors: number;
  readonly passed: number;
  readonly failed: number;
}

export interface Applied {
  readonly version: string;
  readonly previous: string;
  readonly at: number;
  readonly running: boolean;
}

export interface HistoryEntry {
  readonly at: number;
  readonly version: string;
  readonly previous: string;
  readonly author: string;
  readonly reason: string;
  readonly kept: boolean;
}

export interface VersionText {
  readonly version: string;
  readonly text: string;
  readonly masked: boolean;
}
