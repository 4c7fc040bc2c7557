/**
 * The telephone, as anything on a page asks it: `telephone.dial("1002")`, `telephone.answer(id)`.
 *
 * Each verb is a command, which the tab that is the telephone carries out. Where this browser isn't one (no number,
 * another device chosen, no microphone), `dial` rings the person's other telephones first, as it always did.
 */
import { api } from "../server/api";
import type { Command, Trouble } from "./shapes";
import { telephoneNow } from "./store";

type Carrier = (command: Command) => void;
let carrier: Carrier | undefined;

/** Whoever carries commands out from now on: the line of this tab, or the channel to the tab that has it. */
export function carryOut(by: Carrier | undefined): void {
  carrier = by;
}

function ask(command: Command): void {
  carrier?.(command);
}

export const telephone = {
  /** Call a number, as it is dialled. Resolves to what does it: this browser, or the person's other telephones. */
  async dial(target: string, { video = false } = {}): Promise<"here" | "rings"> {
    const { state } = telephoneNow();
    if (carrier !== undefined && (state === "ready" || state === "elsewhere")) {
      ask({ verb: "dial", target, video });
      return "here";
    }
    await api.post("/calls", { number: target });
    return "rings";
  },
  answer: (id: string, { video = false, listen = false } = {}) => ask({ verb: "answer", id, video, listen }),
  reject: (id: string) => ask({ verb: "reject", id }),
  toVoicemail: (id: string) => ask({ verb: "toVoicemail", id }),
  hangUp: (id: string) => ask({ verb: "hangUp", id }),
  hold: (id: string) => ask({ verb: "hold", id }),
  resume: (id: string) => ask({ verb: "resume", id }),
  mute: (id: string, on: boolean) => ask({ verb: "mute", id, on }),
  /** Press keys in a call: 0 to 9, *, #. */
  digits: (id: string, keys: string) => ask({ verb: "digits", id, keys }),
  transfer: (id: string, target: string) => ask({ verb: "transfer", id, target }),
  /** Connect the others of two calls with each other, and leave. */
  transferAttended: (id: string, other: string) => ask({ verb: "transferAttended", id, other }),
  /** Make one conversation of two calls. */
  merge: (id: string, other: string) => ask({ verb: "merge", id, other }),
  park: (id: string) => ask({ verb: "park", id }),
  record: (id: string, on: boolean) => ask({ verb: "record", id, on }),
  showVideo: (id: string, on: boolean) => ask({ verb: "showVideo", id, on }),
  /** Take an ended call off the page. */
  forget: (id: string) => ask({ verb: "forget", id }),
  /** Say no more about a trouble. */
  understood: (trouble: Trouble) => ask({ verb: "understood", trouble }),
};
