/** Calls in progress, as the server tells them (`/calls`). */
import type { Kind } from "../../components/State";

export type PartyState = "calls" | "called" | "rings" | "talks" | "holds" | "held" | "confers" | "waits";

export interface Party {
  readonly leg: string;
  readonly device: string;
  readonly number: string;
  readonly name: string;
  readonly state: PartyState;
  readonly muted: boolean;
}

export interface Call {
  readonly id: string;
  readonly direction: string;
  readonly from_number: string;
  readonly from_name: string;
  readonly dialled: string;
  readonly to: string;
  readonly started_at: number;
  readonly answered_at: number | null;
  readonly parties: readonly Party[];
}

export interface Done {
  readonly call: string;
  readonly state: string;
  readonly place: string;
}

/** What changes the list; holding and the like are told by nobody, so the list is read again now and then too. */
export const EVENTS: readonly string[] = [
  "CallStarted",
  "LegStarted",
  "CallRinging",
  "CallAnswered",
  "LegLeft",
  "CallEnded",
  "ParkingChanged",
];

export const SHAPES: Readonly<Record<PartyState, Kind>> = {
  calls: "ringing",
  called: "off",
  rings: "ringing",
  talks: "busy",
  holds: "warning",
  held: "warning",
  confers: "busy",
  waits: "warning",
};

/** The one of a call that speaks for an extension; undefined where it isn't in it. */
export function partyOf(call: Call, extension: string): Party | undefined {
  return extension === "" ? undefined : call.parties.find((party) => party.number === extension);
}
