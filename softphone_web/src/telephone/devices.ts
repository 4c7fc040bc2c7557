/**
 * Microphone, loudspeaker and what rings: those that there are, and those chosen, remembered in this browser.
 *
 *     const stream = await openMicrophone();          // throws MicrophoneProblem
 *     chooseSound({ ringer: "default" });
 */
import { useSyncExternalStore } from "react";

/** Each "" for the one that the device itself prefers. volumes: 0 to 1. */
export interface SoundChoice {
  readonly microphone: string;
  readonly speaker: string;
  readonly ringer: string;
  readonly camera: string;
  readonly echoCancellation: boolean;
  readonly noiseSuppression: boolean;
  readonly autoGainControl: boolean;
  readonly volume: number;
  readonly ringVolume: number;
}

export interface SoundDevice {
  readonly id: string;
  readonly label: string;
}

export interface SoundDevices {
  readonly microphones: readonly SoundDevice[];
  readonly speakers: readonly SoundDevice[];
  readonly cameras: readonly SoundDevice[];
  /** Whether this browser lets a page choose a loudspeaker. */
  readonly canChooseSpeaker: boolean;
}

export type MicrophoneTrouble = "microphone_refused" | "microphone_absent" | "microphone_busy" | "insecure";

/** There is no sound from here, and why. */
export class MicrophoneProblem extends Error {
  constructor(readonly trouble: MicrophoneTrouble) {
    super(trouble);
  }
}

const KEPT = "beffroi.sound";
const AT_FIRST: SoundChoice = {
  microphone: "",
  speaker: "",
  ringer: "",
  camera: "",
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
  volume: 1,
  ringVolume: 0.8,
};
const NONE: SoundDevices = { microphones: [], speakers: [], cameras: [], canChooseSpeaker: false };

const watchers = new Set<() => void>();
let choice = kept();
let devices: SoundDevices = NONE;
let isLooking = false;

function tell(): void {
  for (const watcher of watchers) watcher();
}

function kept(): SoundChoice {
  try {
    const known: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    if (typeof known !== "object" || known === null) return AT_FIRST;
    const sound = Object.entries(known).filter(
      ([name, value]) => name in AT_FIRST && typeof value === typeof AT_FIRST[name as keyof SoundChoice],
    );
    return { ...AT_FIRST, ...Object.fromEntries(sound) };
  } catch {
    return AT_FIRST; // written by another version, or by hand
  }
}

export function soundChoice(): SoundChoice {
  return choice;
}

/** Choose from now on, in this browser; calls in progress change over. */
export function chooseSound(change: Partial<SoundChoice>): void {
  choice = { ...choice, ...change };
  localStorage.setItem(KEPT, JSON.stringify(choice));
  tell();
}

/** Be told of each change of what is chosen or plugged in; returns how to be told no more. */
export function watchSound(watcher: () => void): () => void {
  watchers.add(watcher);
  if (!isLooking) {
    isLooking = true;
    // A page that came without TLS has no mediaDevices at all.
    if (isSecureContext) {
      navigator.mediaDevices.addEventListener("devicechange", () => void lookForDevices());
      void lookForDevices();
    }
  }
  return () => watchers.delete(watcher);
}

export function useSoundChoice(): SoundChoice {
  return useSyncExternalStore(watchSound, soundChoice);
}

export function useSoundDevices(): SoundDevices {
  return useSyncExternalStore(watchSound, soundDevices);
}

export function soundDevices(): SoundDevices {
  return devices;
}

/** Read anew what is plugged in. Names are known once the microphone has been allowed. */
export async function lookForDevices(): Promise<void> {
  const found = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind) =>
    found
      .filter((one) => one.kind === kind && one.deviceId !== "")
      .map((one) => ({ id: one.deviceId, label: one.label }));
  devices = {
    microphones: of("audioinput"),
    speakers: of("audiooutput"),
    cameras: of("videoinput"),
    canChooseSpeaker: "setSinkId" in HTMLMediaElement.prototype,
  };
  tell();
}

/** The chosen one if it is plugged in, else the one that the device itself prefers (""). */
export function present(id: string, among: readonly SoundDevice[]): string {
  return among.some((one) => one.id === id) ? id : "";
}

/** What the chosen microphone hears. Raises MicrophoneProblem; the caller stops the tracks. */
export async function openMicrophone(): Promise<MediaStream> {
  if (!isSecureContext) throw new MicrophoneProblem("insecure");
  const id = present(choice.microphone, devices.microphones);
  try {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        ...(id === "" ? {} : { deviceId: { exact: id } }),
        echoCancellation: choice.echoCancellation,
        noiseSuppression: choice.noiseSuppression,
        autoGainControl: choice.autoGainControl,
      },
    });
    void lookForDevices(); // names are told from now on
    return stream;
  } catch (failure) {
    throw new MicrophoneProblem(troubleOf(failure));
  }
}

function troubleOf(failure: unknown): MicrophoneTrouble {
  const name = failure instanceof DOMException ? failure.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "microphone_refused";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "microphone_absent";
  return "microphone_busy";
}
