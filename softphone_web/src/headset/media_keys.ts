/** The keys of keyboards, screens and wireless headsets that browsers tell pages of (Media Session). */
import { living, telephoneNow, watchTelephone } from "../telephone/store";
import { telephone } from "../telephone/telephone";

let isStarted = false;

/** Begin, once for the whole application: play answers what rings, hang-up ends, the microphone's key mutes. */
export function startMediaKeys(): void {
  if (isStarted || !("mediaSession" in navigator)) return;
  isStarted = true;
  handle("play", answer);
  handle("pause", answer);
  handle("hangup", () => {
    const call = talking() ?? living(telephoneNow().calls)[0];
    if (call !== undefined) telephone.hangUp(call.id);
  });
  handle("togglemicrophone", () => {
    const call = talking();
    if (call !== undefined) telephone.mute(call.id, !call.isMuted);
  });
  watchTelephone(tell);
}

function handle(action: string, run: () => void): void {
  try {
    navigator.mediaSession.setActionHandler(action as MediaSessionAction, run);
  } catch {
    // A browser that doesn't know this key has none.
  }
}

function talking() {
  return living(telephoneNow().calls).find((call) => call.state === "talking" && !call.isHeld);
}

function answer(): void {
  const call = living(telephoneNow().calls).find((one) => one.state === "ringing");
  if (call !== undefined) telephone.answer(call.id);
}

function tell(): void {
  const call = talking();
  // Not in every browser that has the rest.
  const session = navigator.mediaSession as { setMicrophoneActive?: (active: boolean) => unknown };
  session.setMicrophoneActive?.(call !== undefined && !call.isMuted);
}
