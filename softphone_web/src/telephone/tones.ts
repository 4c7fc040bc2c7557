/**
 * What the telephone itself sounds like: the ring, the tone while it rings there, the keys, the end. Made here, of
 * sine waves; there is no file. The ring goes to the device chosen for it, all else to that of the calls.
 */
import { present, soundChoice, soundDevices } from "./devices";

interface Sounding {
  readonly stop: () => void;
}

type Output = "ringer" | "speaker";

/** On and off, in seconds, over and over; frequencies in Hz, together. */
interface Pattern {
  readonly hz: readonly number[];
  readonly cadence: readonly number[];
  readonly repeats: boolean;
  readonly gain: number;
}

// The French ringing tone: 440 Hz, 1.5 s of 5; two notes for the bell, which no tone of a call resembles.
const RINGING_THERE: Pattern = { hz: [440], cadence: [1.5, 3.5], repeats: true, gain: 0.08 };
const BELL: Pattern = { hz: [784, 988], cadence: [0.4, 0.2, 0.4, 2], repeats: true, gain: 0.35 };
const WAITING: Pattern = { hz: [440], cadence: [0.3, 9.7], repeats: true, gain: 0.06 };
const ENDED: Pattern = { hz: [440], cadence: [0.25, 0.25, 0.25, 0], repeats: false, gain: 0.05 };
const AHEAD_SECONDS = 12;
const SOFT_SECONDS = 0.01;

// ITU-T Q.23: each key is a row and a column.
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = ["123", "456", "789", "*0#"];
const KEY_GAIN = 0.03;
const KEY_SECONDS = 0.12;

let context: AudioContext | undefined;
const outputs = new Map<Output, { node: MediaStreamAudioDestinationNode; element: HTMLAudioElement }>();

function opened(): AudioContext {
  context ??= new AudioContext();
  if (context.state === "suspended") void context.resume();
  return context;
}

/** Whether this browser lets the page sound by itself: many want a click in it first. */
export function maySound(): boolean {
  return opened().state === "running" || navigator.userActivation.hasBeenActive;
}

function outputOf(which: Output): AudioNode {
  const at = opened();
  let found = outputs.get(which);
  if (found === undefined) {
    // An element, since it can be given a device in every browser that has devices.
    const element = new Audio();
    const node = at.createMediaStreamDestination();
    element.srcObject = node.stream;
    found = { node, element };
    outputs.set(which, found);
  }
  const { element } = found;
  const choice = soundChoice();
  element.volume = which === "ringer" ? choice.ringVolume : choice.volume;
  void sendTo(element, which === "ringer" ? choice.ringer : choice.speaker);
  element.play().catch(() => undefined); // told by maySound
  return found.node;
}

/** Have an element sound on a device, or on the one that the computer prefers where that one is gone. */
export async function sendTo(element: HTMLMediaElement, device: string): Promise<void> {
  if (!("setSinkId" in element)) return;
  try {
    await element.setSinkId(present(device, soundDevices().speakers));
  } catch {
    await element.setSinkId("").catch(() => undefined); // unplugged just now
  }
}

function sound(pattern: Pattern, which: Output): Sounding {
  const at = opened();
  const gain = at.createGain();
  gain.gain.value = 0;
  gain.connect(outputOf(which));
  const waves = pattern.hz.map((hz) => {
    const wave = at.createOscillator();
    wave.frequency.value = hz;
    wave.connect(gain);
    wave.start();
    return wave;
  });
  let until = at.currentTime;
  const ahead = () => {
    do {
      pattern.cadence.forEach((seconds, index) => {
        gain.gain.setTargetAtTime(index % 2 === 0 ? pattern.gain : 0, until, SOFT_SECONDS);
        until += seconds;
      });
    } while (pattern.repeats && until < at.currentTime + AHEAD_SECONDS);
    gain.gain.setTargetAtTime(0, until, SOFT_SECONDS);
  };
  ahead();
  const timer = pattern.repeats ? setInterval(ahead, (AHEAD_SECONDS / 3) * 1000) : undefined;
  const stop = () => {
    clearInterval(timer);
    for (const wave of waves) wave.stop();
    gain.disconnect();
  };
  if (!pattern.repeats) setTimeout(stop, (until - at.currentTime + 0.1) * 1000);
  return { stop };
}

/** Ring until it is stopped, where the person wants to hear it ring. */
export function ring(): () => void {
  return sound(BELL, "ringer").stop;
}

/** A short tone beside a conversation: somebody else calls. */
export function knock(): () => void {
  return sound(WAITING, "speaker").stop;
}

/** The tone while it rings there. */
export function ringThere(): () => void {
  return sound(RINGING_THERE, "speaker").stop;
}

/** The call has ended. */
export function sayEnded(): void {
  sound(ENDED, "speaker");
}

/** The sound of a key, softly, for who presses it; the other one hears what the call sends. */
export function soundKey(key: string): void {
  const row = KEYS.findIndex((keys) => keys.includes(key));
  const column = KEYS[row]?.indexOf(key) ?? -1;
  const [low, high] = [ROWS[row], COLUMNS[column]];
  if (low === undefined || high === undefined) return;
  sound({ hz: [low, high], cadence: [KEY_SECONDS, 0], repeats: false, gain: KEY_GAIN }, "speaker");
}
