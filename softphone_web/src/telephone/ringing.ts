/** Whether and how it rings here: a bell, a short tone beside a conversation, what rings there. */
import { language } from "../language/texts";
import { telephone as words } from "../language/telephone";
import { isPushed } from "../reach/pushing";
import type { PhoneCall } from "./shapes";
import { knock, maySound, ring, ringThere } from "./tones";
import { become, telephoneNow } from "./store";

type Sound = "none" | "bell" | "knock" | "there";

export class Ringing {
  private now: Sound = "none";
  private quiet: () => void = () => undefined;
  private notices = new Map<string, Notification>();

  /** Sound as these calls ask for. */
  show(calls: readonly PhoneCall[]): void {
    const sound = soundOf(calls);
    if (sound !== this.now) {
      this.quiet();
      this.now = sound;
      this.quiet = start(sound);
      sayWhetherItSounds(sound);
    }
    this.notify(calls.filter((call) => call.state === "ringing"));
  }

  hush(): void {
    this.show([]);
  }

  /** A notice outside of the page while nobody looks at it, where that is allowed. */
  private notify(ringing: readonly PhoneCall[]): void {
    for (const [id, notice] of this.notices) {
      if (ringing.some((call) => call.id === id)) continue;
      notice.close();
      this.notices.delete(id);
    }
    if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
    if (isPushed()) return; // the service worker's notice can be answered
    for (const call of ringing) {
      if (this.notices.has(call.id)) continue;
      const notice = new Notification(words[language()].incoming, {
        body: [call.name, call.number].filter(Boolean).join(" · ") || words[language()].anonymous,
        tag: call.id,
        lang: language(),
        requireInteraction: true,
      });
      notice.onclick = () => {
        window.focus();
        notice.close();
      };
      this.notices.set(call.id, notice);
    }
  }
}

/** Which of the sounds these calls ask for: the bell is never louder than a conversation. */
export function soundOf(calls: readonly PhoneCall[]): Sound {
  const isIn = calls.some((call) => ["opening", "talking", "returning"].includes(call.state) && !call.isHeld);
  if (calls.some((call) => call.state === "ringing")) return isIn ? "knock" : "bell";
  return calls.some((call) => call.state === "calling" && call.ringsThere) ? "there" : "none";
}

function start(sound: Sound): () => void {
  if (sound === "bell") return ring();
  if (sound === "knock") return knock();
  if (sound === "there") return ringThere();
  return () => undefined;
}

/** A page in which nobody has clicked yet may not sound: say so, since it rings in silence. */
function sayWhetherItSounds(sound: Sound): void {
  const { troubles } = telephoneNow();
  const isSilent = sound === "bell" && !maySound();
  if (isSilent === troubles.includes("silent")) return;
  become({ troubles: isSilent ? [...troubles, "silent"] : troubles.filter((one) => one !== "silent") });
}

/** Whether a call wants to be answered by itself: a page, or one that its own person places (RFC 5373). */
export function asksToAnswer(request: { getHeader: (name: string) => string | undefined }): boolean {
  const mode = request.getHeader("Answer-Mode") ?? "";
  return /^\s*auto\b/i.test(mode) || /;\s*answer-after\s*=\s*0\b/i.test(request.getHeader("Call-Info") ?? "");
}

