/** Desk telephones as the server tells them. */
import type { Kind } from "../../components/State";
import type { KeyKind } from "./key";

export type Stage = "waiting" | "approved" | "enrolled" | "blocked";

export interface Phone {
  readonly name: string;
  readonly brand: string;
  readonly maker: string;
  readonly model: string;
  readonly version: string;
  readonly stage: Stage;
  readonly label: string;
  readonly site: string;
  readonly old_tls: boolean;
  readonly extensions: readonly string[];
  /** Of whom these are. */
  readonly names: readonly string[];
  readonly lines: readonly string[];
  /** Its own: kind, number and label each; none for those of its first line’s person. */
  readonly keys: readonly (readonly [KeyKind, string, string])[];
  readonly address: string;
  /** Null where its maker’s telephones can’t be told. Hours: of Monday to Sunday; none where it has the screen alone. */
  readonly energy: {
    readonly screen_off_minutes: number;
    readonly office_hours: readonly (readonly [number, number] | null)[];
  } | null;
  /** The site whose network that address is in. */
  readonly network: string;
  /** The title of the site where it is, "" where nobody knows. */
  readonly place: string;
  /** Why it was refused last; in the list of all. */
  readonly refused: string;
  readonly first_seen_at: number;
  readonly last_seen_at: number;
  readonly invited: boolean;
  readonly rotates: boolean;
}

export interface Phones {
  readonly items: readonly Phone[];
  readonly window_until_at: number;
  readonly configured: boolean;
}

export interface Invitation {
  readonly url: string;
  readonly until_at: number;
  readonly qr: string;
}

export interface Told {
  readonly told: readonly string[];
  readonly busy: readonly string[];
  readonly away: readonly string[];
}

export interface Brand {
  readonly brand: string;
  readonly name: string;
  readonly models: Readonly<Record<string, number>>;
  readonly old: readonly string[];
}

export interface Fetch {
  readonly at: number;
  readonly name: string;
  readonly address: string;
  readonly transport: string;
  readonly path: string;
  readonly outcome: "served" | "pointer" | "isolated" | "refused";
  readonly reason: string;
}

/** waiting, approved, in service, blocked: as a shape. */
export const KINDS: Readonly<Record<Stage, Kind>> = { waiting: "warning", approved: "ringing", enrolled: "good", blocked: "bad" };

/** As it is printed under a telephone. */
export function printed(name: string): string {
  return /^[0-9a-f]{12}$/.test(name) ? (name.toUpperCase().match(/../g) ?? []).join(":") : name;
}

/** What people call it: its usual name, or what is printed under it. */
export function called(phone: Phone): string {
  return phone.label === "" ? printed(phone.name) : phone.label;
}

/** Whether it asked for settings and nobody has said whose it is. */
export function isUnknown(phone: Phone): boolean {
  return phone.stage === "waiting" && phone.address !== "" && phone.lines.length === 0;
}

/** Whether nothing is wanted of it: it was refused before it was anybody's. */
export function isIgnored(phone: Phone): boolean {
  return phone.stage === "blocked" && phone.lines.length === 0 && phone.label === "";
}
