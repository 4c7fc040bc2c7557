/** What is said of a call, in the language spoken: who it is, how it is, why it ended. */
import { telephone } from "../language/telephone";
import { spokenNumber } from "../language/moments";
import type { Words } from "../language/texts";
import type { Kind } from "../components/State";
import type { PhoneCall } from "./shapes";

type TelephoneWords = Words<(typeof telephone)["fr"]>;

/** Who is at the other end: a name, else the number as it is read aloud; of a conference all of them. */
export function whoIs(call: PhoneCall, words: TelephoneWords): string {
  if (call.conference.length > 0 && call.state !== "ended") {
    return words.conference(call.conference.map((name) => (name === "" ? words.outside : name)).join(", "));
  }
  if (call.name !== "") return call.name;
  return call.number === "" ? words.anonymous : spokenNumber(call.number);
}

/** How a call is, and the shape that goes with it. */
export function stateOf(call: PhoneCall, words: TelephoneWords): { readonly kind: Kind; readonly text: string } {
  if (call.state === "ended") return { kind: "off", text: words.ended };
  if (call.state === "ringing") return { kind: "ringing", text: words.incoming };
  if (call.state === "calling") return { kind: "ringing", text: call.ringsThere ? words.rings_there : words.calling };
  if (call.state === "returning") return { kind: "bad", text: words.returning };
  if (call.isTransferring) return { kind: "ringing", text: words.transferring };
  if (call.isHeld) return { kind: "warning", text: words.held };
  if (call.isHeldThere) return { kind: "warning", text: words.held_there };
  if (call.state === "opening") return { kind: "ringing", text: words.opening };
  return { kind: "busy", text: words.talking };
}

/** Why it ended, as a sentence. */
export function whyEnded(call: PhoneCall, words: TelephoneWords): string {
  const isMissed = call.direction === "in" && call.answeredAt === undefined && call.ending === "given_up";
  if (isMissed) return words.missed;
  if (call.ending === "parked") return words.waits_at(call.place);
  return call.ending === "elsewhere" ? words.answered_elsewhere : words[call.ending ?? "over"];
}
