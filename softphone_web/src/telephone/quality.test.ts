import { expect, test } from "vitest";

import { type Reading, compare, readingOf } from "./quality";

const before: Reading = {
  atMs: 1000,
  packetsHere: 100,
  lostHere: 0,
  energyHere: 1,
  packetsThere: 100,
  lostThere: 0,
  energyThere: 1,
  jitterMs: 5,
  roundTripMs: 20,
  isRelayed: false,
  speaks: true,
  hears: true,
};
const after: Reading = { ...before, atMs: 3000, packetsHere: 200, packetsThere: 200, energyHere: 2, energyThere: 2 };
const troubles = (change: Partial<Reading>) => compare(before, { ...after, ...change })?.troubles;

test("a call that sounds well has nothing to say", () => {
  expect(troubles({})).toEqual([]);
});

test("two readings too close say nothing at all", () => {
  expect(compare(before, { ...after, atMs: 1500 })).toBeUndefined();
});

test("packets that don't arrive here are the reader's own network", () => {
  expect(troubles({ lostHere: 10 })).toEqual(["loss_here"]);
  expect(troubles({ lostHere: 2 })).toEqual([]);
});

test("packets that don't arrive there are heard there", () => {
  expect(troubles({ lostThere: 12 })).toEqual(["loss_there"]);
});

test("the share that was lost is told in parts of a hundred", () => {
  expect(compare(before, { ...after, lostHere: 25, packetsHere: 175 })?.lossHere).toBeCloseTo(25);
});

test("nothing that comes is the other side that isn't heard", () => {
  expect(troubles({ packetsHere: 100 })).toEqual(["nothing_heard"]);
});

test("nothing has to come while somebody holds", () => {
  expect(troubles({ packetsHere: 100, hears: false })).toEqual([]);
});

test("a microphone that gives nothing is told apart from a network that carries nothing", () => {
  expect(troubles({ energyThere: 1 })).toEqual(["microphone_silent"]);
  expect(troubles({ packetsThere: 100 })).toEqual(["not_heard"]);
});

test("who has turned the microphone off isn't told that it is silent", () => {
  expect(troubles({ energyThere: 1, speaks: false })).toEqual([]);
});

test("an uneven network and a late sound are told", () => {
  expect(troubles({ jitterMs: 80, roundTripMs: 500 })).toEqual(["jitter", "delay"]);
});

test("a reading takes the sound's counters, and the relay of the pair that is used", () => {
  const reading = readingOf(
    [
      { type: "inbound-rtp", kind: "video", packetsReceived: 9 },
      { type: "inbound-rtp", kind: "audio", packetsReceived: 7, packetsLost: -1, jitter: 0.01, timestamp: 5 },
      { type: "remote-inbound-rtp", kind: "audio", roundTripTime: 0.1, packetsLost: 3 },
      { type: "candidate-pair", nominated: true, state: "succeeded", localCandidateId: "L" },
      { type: "local-candidate", id: "L", candidateType: "relay" },
    ],
    { speaks: true, hears: true },
  );
  expect(reading).toMatchObject({ packetsHere: 7, lostHere: 0, jitterMs: 10, roundTripMs: 100, lostThere: 3 });
  expect(reading.isRelayed).toBe(true);
});

test("a report of nothing is read as nothing", () => {
  expect(readingOf([], { speaks: true, hears: true })).toMatchObject({ packetsHere: 0, isRelayed: false });
});
