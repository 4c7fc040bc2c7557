/**
 * How a call sounds, from two readings of what the browser counts (W3C webrtc-stats): in words before figures.
 *
 * Pure: `compare(before, after)`; a reading is made from `RTCPeerConnection.getStats()` by `readingOf`.
 */
import type { Quality, SoundTrouble } from "./shapes";

/** Counts since the call began. atMs: when, by the browser's own clock; the levels are sums of squares. */
export interface Reading {
  readonly atMs: number;
  readonly packetsHere: number;
  readonly lostHere: number;
  readonly energyHere: number;
  readonly packetsThere: number;
  readonly lostThere: number;
  readonly energyThere: number;
  readonly jitterMs: number;
  readonly roundTripMs: number;
  readonly isRelayed: boolean;
  /** Whether we send at all: neither muted nor on hold, with a microphone. */
  readonly speaks: boolean;
  /** Whether the other one sends. */
  readonly hears: boolean;
}

const LOSS_HEARD = 0.03;
const JITTER_HEARD_MS = 60;
const DELAY_HEARD_MS = 400;
/** Shorter than this, nothing can be said. */
const LEAST_MS = 1500;
const LEAST_PACKETS = 20;

type Stats = Readonly<Record<string, unknown>>;

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

/** What a report says of the sound. Nothing of it is believed to be there. */
export function readingOf(report: Iterable<Stats>, sides: { speaks: boolean; hears: boolean }): Reading {
  const all = [...report];
  const of = (type: string) =>
    all.find((one) => one.type === type && (one.kind === undefined || one.kind === "audio")) ?? {};
  const [incoming, outgoing, there, source] = [
    of("inbound-rtp"),
    of("outbound-rtp"),
    of("remote-inbound-rtp"),
    of("media-source"),
  ];
  const pair = all.find((one) => one.type === "candidate-pair" && one.nominated === true && one.state === "succeeded");
  const local = all.find((one) => one.type === "local-candidate" && one.id === pair?.localCandidateId);
  const roundTrip = number(there.roundTripTime) > 0 ? number(there.roundTripTime) : number(pair?.currentRoundTripTime);
  return {
    atMs: number(incoming.timestamp) > 0 ? number(incoming.timestamp) : number(outgoing.timestamp),
    packetsHere: number(incoming.packetsReceived),
    lostHere: Math.max(0, number(incoming.packetsLost)),
    energyHere: number(incoming.totalAudioEnergy),
    packetsThere: number(outgoing.packetsSent),
    lostThere: Math.max(0, number(there.packetsLost)),
    energyThere: number(source.totalAudioEnergy),
    jitterMs: number(incoming.jitter) * 1000,
    roundTripMs: roundTrip * 1000,
    isRelayed: local?.candidateType === "relay",
    ...sides,
  };
}

function share(lost: number, arrived: number): number {
  return lost + arrived < LEAST_PACKETS ? 0 : lost / (lost + arrived);
}

/** How it sounded between two readings; undefined where they are too close for a word. */
export function compare(before: Reading, after: Reading): Quality | undefined {
  const elapsedMs = after.atMs - before.atMs;
  if (elapsedMs < LEAST_MS) return undefined;
  const arrived = after.packetsHere - before.packetsHere;
  const sent = after.packetsThere - before.packetsThere;
  const lossHere = share(Math.max(0, after.lostHere - before.lostHere), arrived);
  const lostThere = Math.max(0, after.lostThere - before.lostThere);
  const lossThere = share(lostThere, Math.max(0, sent - lostThere));
  const both = (which: "hears" | "speaks") => before[which] && after[which];
  const troubles: SoundTrouble[] = [];
  if (both("hears") && arrived === 0) troubles.push("nothing_heard");
  if (both("speaks") && sent === 0) troubles.push("not_heard");
  else if (both("speaks") && after.energyThere === before.energyThere) troubles.push("microphone_silent");
  if (lossHere > LOSS_HEARD) troubles.push("loss_here");
  if (lossThere > LOSS_HEARD) troubles.push("loss_there");
  if (after.jitterMs > JITTER_HEARD_MS) troubles.push("jitter");
  if (after.roundTripMs > DELAY_HEARD_MS) troubles.push("delay");
  return {
    troubles,
    lossHere: lossHere * 100,
    lossThere: lossThere * 100,
    jitterMs: after.jitterMs,
    roundTripMs: after.roundTripMs,
    isRelayed: after.isRelayed,
  };
}
