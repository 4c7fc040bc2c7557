/** What the server tells of recordings, and what their pages remember while one goes from one to the other. */
export interface Recording {
  readonly recording: string;
  readonly begun_at: number;
  readonly ended_at: number | null;
  readonly seconds: number | null;
  readonly policy: string;
  readonly call: string;
  readonly line: string;
  readonly user: string;
  readonly caller: string;
  readonly called: string;
  readonly direction: string;
  readonly site: string;
  readonly state: string;
  readonly bytes: number;
  readonly keep_until_at: number | null;
  readonly held_until_at: number | null;
}

export interface Policy {
  readonly name: string;
  readonly legal_basis: string;
  readonly register_number: string;
  readonly keep_days: number | null;
  readonly least_days: number;
  readonly export: string;
  readonly lines: readonly string[];
}

export interface Hold {
  readonly hold: number;
  readonly recording: string;
  readonly by: string;
  readonly reason: string;
  readonly made_at: number;
  readonly until_at: number;
}

export interface Entry {
  readonly number: number;
  readonly at: number;
  readonly what: string;
  readonly recording: string;
  readonly by: string;
  readonly reason: string;
  readonly over_pages: boolean;
  readonly about: Readonly<Record<string, unknown>>;
}

export interface ExportRequest {
  readonly request: number;
  readonly recording: string;
  readonly by: string;
  readonly reason: string;
  readonly until_at: number;
  readonly approved_by: string;
  readonly own: boolean;
}

export interface FullRecording extends Recording {
  readonly continues: string;
  readonly rules: Policy;
  readonly holds: readonly Hold[];
  readonly journal: readonly Entry[];
  readonly exports: readonly ExportRequest[];
  readonly is_key_here: boolean;
}

export interface Custody {
  readonly recording: string;
  readonly begun_at: number;
  readonly ended_at: number | null;
  readonly state: string;
  readonly keep_until_at: number | null;
  readonly rules: Policy;
  readonly holds: readonly Hold[];
  readonly journal: readonly Entry[];
}

export interface Channel {
  readonly party: string;
  readonly silences: readonly (readonly [number, number])[];
}

export interface Listening {
  readonly listening: string;
  readonly recording: Recording;
  readonly sound_begun_at: number;
  readonly seconds: number;
  readonly goes_on: boolean;
  readonly channels: readonly Channel[];
  readonly parts: readonly { readonly second: number; readonly what: string; readonly parties: readonly string[] }[];
  readonly losses: readonly { readonly second: number; readonly packets: number; readonly why: string }[];
  readonly unheard: Readonly<Record<string, number>>;
  readonly damage: string;
  readonly points: number;
}

export interface ListeningState {
  readonly seconds_made: number;
  readonly finished: boolean;
  readonly failed: string;
  readonly peaks: readonly (readonly number[])[];
  readonly quiet: readonly (readonly [number, number])[];
}

export interface PackageState {
  readonly package: string;
  readonly recording: string;
  readonly state: "making" | "made" | "failed";
  readonly part: number;
  readonly failed: string;
}

export interface Verification {
  readonly whole: boolean;
  readonly goes_on: boolean;
  readonly segments: number;
  readonly opened: number | null;
  readonly journal_entries: number;
  readonly findings: readonly string[];
  readonly proved_seconds: number | null;
}

/** What was asked and found last: kept while the application is open, and nowhere else. */
export interface Remembered {
  reason: string;
  answers: Readonly<Record<string, string>>;
  found: readonly Recording[] | undefined;
  next: string;
}

const nothing = (): Remembered => ({ reason: "", answers: {}, found: undefined, next: "" });
let whose = "";
let kept = nothing();

/** What this account asked last; another one begins with nothing. */
export function remembered(account: string): Remembered {
  if (account !== whose) {
    whose = account;
    kept = nothing();
  }
  return kept;
}

/** A day or a moment as a form gives it, in Unix seconds; undefined for none. */
export function instant(value: string | undefined): number | undefined {
  if (value === undefined || value === "") return undefined;
  // A day alone begins at midnight here, and not in Greenwich.
  const at = new Date(value.length === 10 ? `${value}T00:00` : value).getTime() / 1000;
  return Number.isFinite(at) ? at : undefined;
}

/** A moment as a form of a day takes it. */
export function dayOf(at: number): string {
  const when = new Date(at * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
}
