/**
 * One microphone for all calls: opened with the first, closed with the last. Each call gets a track of its own, so that
 * muting one doesn't mute another. When another device is chosen, or this one is unplugged, every call changes over.
 */
import { MicrophoneProblem, type MicrophoneTrouble, openMicrophone, soundChoice, watchSound } from "./devices";

export interface Loan {
  readonly track: MediaStreamTrack;
  readonly giveBack: () => void;
}

/** gone: it was unplugged, and what is heard now comes from another one, or from none (its trouble). */
type Gone = (trouble: MicrophoneTrouble | "device_gone") => void;

interface Borrower {
  track: MediaStreamTrack;
  readonly replace: (track: MediaStreamTrack) => void;
}

const borrowers = new Set<Borrower>();
let source: Promise<MediaStream> | undefined;
let wanted = "";
let gone: Gone = () => undefined;

/** Be told when the microphone is unplugged in a call. */
export function whenGone(told: Gone): void {
  gone = told;
}

function fingerprint(): string {
  const { microphone, echoCancellation, noiseSuppression, autoGainControl } = soundChoice();
  return JSON.stringify([microphone, echoCancellation, noiseSuppression, autoGainControl]);
}

function opened(): Promise<MediaStream> {
  wanted = fingerprint();
  source ??= openMicrophone().then((stream) => {
    const track = stream.getAudioTracks()[0];
    track?.addEventListener("ended", () => void changeOver(true));
    return stream;
  });
  return source;
}

/** A track for a call; `replace` is called with the next one when the device changes. Raises MicrophoneProblem. */
export async function borrow(replace: (track: MediaStreamTrack) => void): Promise<Loan> {
  let stream: MediaStream;
  try {
    stream = await opened();
  } catch (failure) {
    source = undefined;
    throw failure;
  }
  const [original] = stream.getAudioTracks();
  if (original === undefined) throw new MicrophoneProblem("microphone_absent");
  const borrower: Borrower = { track: original.clone(), replace };
  borrowers.add(borrower);
  return {
    get track() {
      return borrower.track;
    },
    giveBack: () => {
      borrowers.delete(borrower);
      borrower.track.stop();
      if (borrowers.size === 0) close();
    },
  };
}

function close(): void {
  const old = source;
  source = undefined;
  void old?.then((stream) => stream.getTracks().forEach((track) => track.stop()));
}

/** Open what is chosen now, and give every call a track of it. */
async function changeOver(isGone: boolean): Promise<void> {
  if (borrowers.size === 0) return;
  close();
  try {
    const [original] = (await opened()).getAudioTracks();
    if (original === undefined) throw new MicrophoneProblem("microphone_absent");
    for (const borrower of borrowers) {
      const next = original.clone();
      next.enabled = borrower.track.enabled;
      borrower.track.stop();
      borrower.track = next;
      borrower.replace(next);
    }
    if (isGone) gone("device_gone");
  } catch (failure) {
    source = undefined;
    gone(failure instanceof MicrophoneProblem ? failure.trouble : "microphone_busy");
  }
}

watchSound(() => {
  if (source !== undefined && fingerprint() !== wanted) void changeOver(false);
});
