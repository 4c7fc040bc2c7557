/** The telephone as pages see it: its state, its calls, and what may be asked of it. Times are Unix seconds. */

/**
 * off: nobody is signed in here, or they have no number; connecting: not yet, or not any more; ready: calls reach it;
 * away: no connection, calls can't reach it; elsewhere: another tab of this browser is the telephone; refused: the
 * node doesn't want it, or the browser can't be one.
 */
export type TelephoneState = "off" | "connecting" | "ready" | "away" | "elsewhere" | "refused";

/** ringing: it comes in and waits for an answer; calling: nobody has answered ours; opening: answered, no sound yet. */
export type CallState = "ringing" | "calling" | "opening" | "talking" | "returning" | "ended";

/** Why a call ended, as far as it is known: each has its words. */
export type Ending =
  | "over"
  | "busy"
  | "no_answer"
  | "no_such_number"
  | "not_allowed"
  | "declined"
  | "elsewhere"
  | "unreachable"
  | "given_up"
  | "reloaded"
  | "transferred"
  | "parked"
  | "no_sound"
  | "no_microphone"
  | "not_signed_in"
  | "server"
  | "lost";

/** What is wrong with the sound of a call, the worst first: each has its words. */
export type SoundTrouble =
  | "cut"
  | "not_heard"
  | "nothing_heard"
  | "microphone_silent"
  | "loss_here"
  | "loss_there"
  | "jitter"
  | "delay";

/** How a call sounds. troubles: none where it is good; the figures are those of the last seconds. */
export interface Quality {
  readonly troubles: readonly SoundTrouble[];
  /** Parts of a hundred of what was sent to us, and by us, that didn't arrive. */
  readonly lossHere: number;
  readonly lossThere: number;
  readonly jitterMs: number;
  readonly roundTripMs: number;
  /** Whether it goes through a relay (TURN). */
  readonly isRelayed: boolean;
}

export interface PhoneCall {
  readonly id: string;
  readonly direction: "in" | "out";
  readonly state: CallState;
  /** Of the other one: "" for an anonymous caller; name: "" where none is known. */
  readonly number: string;
  readonly name: string;
  /** The service or queue that it comes through, "" for none. */
  readonly through: string;
  readonly startedAt: number;
  readonly answeredAt: number | undefined;
  /** We hold it; the other one holds it. */
  readonly isHeld: boolean;
  readonly isHeldThere: boolean;
  readonly isMuted: boolean;
  /** Nothing of ours is sent: there was no microphone. */
  readonly isListening: boolean;
  /** Who else is in the conference that it is, by name, "" for somebody without; none where it is none. */
  readonly conference: readonly string[];
  /** Where it was parked, "" where it wasn't. */
  readonly place: string;
  /** By the plan; stopped: by somebody in it, who may let it go on. */
  readonly recorded: "" | "on" | "stopped";
  readonly mayStopRecording: boolean;
  /** Nothing is recorded, and we may have it so from now on. */
  readonly mayRecord: boolean;
  /** It rings there, and nothing else is to be heard of it. */
  readonly ringsThere: boolean;
  /** We have sent the other one elsewhere, and it isn't there yet. */
  readonly isTransferring: boolean;
  /** What each side shows of itself, and whether the other one could. */
  readonly video: { readonly isOurs: boolean; readonly isTheirs: boolean };
  readonly quality: Quality | undefined;
  readonly ending: Ending | undefined;
  /** The call's id on the node (`/calls`, `/history`), "" while it isn't known. */
  readonly nodeCall: string;
}

/** What somebody must be told: each has its words, and what to do about it. */
export type Trouble =
  | "microphone_refused"
  | "microphone_absent"
  | "microphone_busy"
  | "insecure"
  | "silent"
  | "device_gone"
  | "forbidden"
  | "unsupported";

export interface Features {
  readonly record: boolean;
  readonly video: boolean;
}

/** What is to be said once: each has its words. about: a name, a place, or the like. */
export interface Said {
  readonly id: number;
  readonly what:
    | "transfer_done"
    | "transfer_failed"
    | "parked"
    | "not_possible"
    | "device_gone"
    | "cannot_dial";
  readonly about: string;
}

export interface TelephoneSnapshot {
  readonly state: TelephoneState;
  /** Who it is, once the node has said so. */
  readonly extension: string;
  readonly name: string;
  readonly calls: readonly PhoneCall[];
  readonly features: Features;
  readonly troubles: readonly Trouble[];
  readonly said: Said | undefined;
}

/** What a page asks of the telephone, as another tab can be told it. */
export type Command =
  | { readonly verb: "dial"; readonly target: string; readonly video: boolean }
  | { readonly verb: "answer"; readonly id: string; readonly video: boolean; readonly listen: boolean }
  | { readonly verb: "reject" | "toVoicemail" | "hangUp" | "hold" | "resume"; readonly id: string }
  | { readonly verb: "mute" | "showVideo"; readonly id: string; readonly on: boolean }
  | { readonly verb: "record"; readonly id: string; readonly on: boolean }
  | { readonly verb: "digits"; readonly id: string; readonly keys: string }
  | { readonly verb: "transfer"; readonly id: string; readonly target: string }
  | { readonly verb: "transferAttended"; readonly id: string; readonly other: string }
  | { readonly verb: "merge"; readonly id: string; readonly other: string }
  | { readonly verb: "park"; readonly id: string }
  | { readonly verb: "forget"; readonly id: string }
  | { readonly verb: "understood"; readonly trouble: Trouble };
