/** Past calls as the server tells them (`pbx/web/past_calls.py`). */
export type Outcome = "answered" | "elsewhere" | "message" | "busy" | "refused" | "no_answer" | "failed";
export type Quality = "good" | "fair" | "poor" | "bad" | "unknown";

export interface PastCall {
  readonly id: string;
  readonly direction: "internal" | "inbound" | "outbound";
  readonly way: "in" | "out" | "";
  readonly from_number: string;
  readonly from_name: string;
  readonly is_hidden: boolean;
  readonly dialled: string;
  readonly to: string;
  readonly to_name: string;
  readonly started_at: number;
  readonly answered_at: number | null;
  readonly ended_at: number;
  readonly outcome: Outcome;
  readonly cause: string;
  readonly is_recorded: boolean;
  readonly mos: number | null;
  readonly quality: Quality;
  /** What one has noted of it oneself. */
  readonly note: string;
}

export interface Leg {
  readonly leg: string;
  readonly number: string;
  readonly name: string;
  readonly device: string;
  readonly address: string;
  readonly transport: string;
  readonly codec: string;
  readonly media: string;
  readonly started_at: number;
  readonly answered_at: number | null;
  readonly ended_at: number | null;
  readonly cause: string;
  readonly reached: string;
  readonly via: string;
  readonly quality: {
    readonly mos: number;
    readonly word: Quality;
    readonly loss_percent: number | null;
    readonly jitter_ms: number | null;
    readonly round_trip_ms: number | null;
  } | null;
}

export interface Interval {
  readonly kind: string;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly legs: readonly string[];
  readonly where: string;
}

export interface WholeCall extends PastCall {
  readonly legs: readonly Leg[];
  readonly intervals: readonly Interval[];
  readonly parents: readonly PastCall[];
  readonly children: readonly PastCall[];
  readonly plan_version: string;
  readonly plan_lines: readonly number[];
  readonly has_messages: boolean;
}

export interface Why {
  readonly plan_version: string;
  readonly is_in_force: boolean;
  readonly steps: readonly { readonly line: number; readonly rule: string; readonly outcome: string }[];
  readonly lines: readonly string[];
  readonly unknown: readonly string[];
  readonly note: string;
}

export interface Row {
  readonly at: number;
  readonly sender: number;
  readonly receiver: number;
  readonly label: string;
  readonly method: string;
  readonly status: number;
  readonly phrase: string;
  readonly has_sdp: boolean;
  readonly codecs: readonly string[];
  readonly again: boolean;
  readonly mark: "" | "held" | "resumed" | "transfer";
  readonly about: string;
  readonly transport: string;
  readonly text: string;
}

export interface LadderShown {
  readonly columns: readonly {
    readonly name: string;
    readonly number: string;
    readonly person: string;
    readonly kind: "party" | "trunk" | "beffroi";
  }[];
  readonly rows: readonly Row[];
  readonly is_whole: boolean;
}

export const EVENTS = ["CallEnded"];
