/** What the server says of the operators' lines. Times are Unix seconds, 0 for none. */
import type { Comparison } from "../plan/shapes";

export type Settings = Readonly<Record<string, unknown>>;

export interface Trunk {
  readonly name: string;
  readonly line: number;
  readonly host: string;
  readonly state: "up" | "unknown" | "unregistered" | "down" | "refusing" | "";
  readonly since: number;
  readonly registers: boolean;
  readonly registered_until: number;
  readonly refusal: string;
  readonly refused_at: number;
  readonly channels: number;
  readonly emergency_channels: number;
  readonly channels_in_use: number;
  readonly options_delay_ms: number | null;
  readonly servers: readonly string[];
  readonly settings: Settings;
}

export interface TrunkList {
  readonly items: readonly Trunk[];
  readonly version: string;
}

export interface Choices {
  readonly transports: readonly string[];
  readonly caller_id_in: readonly string[];
  readonly caller_id_out: readonly string[];
  readonly numbers_in: readonly string[];
  readonly numbers_out: readonly string[];
  readonly srtp: readonly string[];
  readonly options: readonly string[];
}

export interface TrunkDraft {
  readonly text: string;
  readonly comparison: Comparison;
}

/** What happens to lines, and to the channels that are in use. */
export const EVENTS = ["TrunkChanged", "CallRinging", "CallAnswered", "CallEnded"] as const;
