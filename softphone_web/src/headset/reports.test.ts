import { describe, expect, it } from "vitest";

import { type Collection, HOOK, LIGHT_MUTE, LIGHT_RING, MUTE, isOn, outputOf, placeOf, reportsOf } from "./reports";

const COLLECTIONS: readonly Collection[] = [
  {
    usagePage: 0x0b,
    inputReports: [
      {
        reportId: 2,
        items: [
          { usages: [HOOK, MUTE], reportSize: 1, reportCount: 2, isAbsolute: true },
          { isConstant: true, reportSize: 6, reportCount: 1 },
        ],
      },
    ],
    children: [
      {
        outputReports: [
          { reportId: 3, items: [{ usages: [0x080017, LIGHT_MUTE, LIGHT_RING], reportSize: 1, reportCount: 3 }] },
        ],
      },
    ],
  },
];
const INPUTS = reportsOf(COLLECTIONS, "inputReports");
const OUTPUTS = reportsOf(COLLECTIONS, "outputReports");
const data = (...bytes: number[]) => new DataView(new Uint8Array(bytes).buffer);

function found<T>(one: T | undefined): T {
  if (one === undefined) throw new Error("it isn't there");
  return one;
}

describe("the reports of a headset", () => {
  it("say whether the hook switch and the mute button are on", () => {
    const hook = found(placeOf(INPUTS, HOOK));
    const mute = found(placeOf(INPUTS, MUTE));
    expect([isOn(hook, data(1)), isOn(mute, data(1))]).toEqual([true, false]);
    expect([isOn(hook, data(2)), isOn(mute, data(2))]).toEqual([false, true]);
  });
  it("may be an array, whose slots name what is pressed", () => {
    const item = { usages: [HOOK, MUTE], isArray: true, logicalMinimum: 1, reportSize: 8, reportCount: 2 };
    const mute = found(placeOf([{ reportId: 1, items: [item] }], MUTE));
    expect([isOn(mute, data(0, 2)), isOn(mute, data(1, 0))]).toEqual([true, false]);
  });
  it("may be a range of usages", () => {
    const item = { isRange: true, usageMinimum: 0x0b0020, usageMaximum: 0x0b0030, reportSize: 1, reportCount: 17 };
    const mute = found(placeOf([{ items: [item] }], MUTE));
    expect(isOn(mute, data(0, 0x80))).toBe(true);
  });
  it("light what is wanted and nothing else", () => {
    const report = found(OUTPUTS[0]);
    expect([...outputOf(report, [found(placeOf(OUTPUTS, LIGHT_MUTE))])]).toEqual([2]);
    expect([...outputOf(report, [])]).toEqual([0]);
    expect([...outputOf(report, [found(placeOf(OUTPUTS, LIGHT_MUTE)), found(placeOf(OUTPUTS, LIGHT_RING))])]).toEqual([6]);
  });
  it("that are too short say that nothing is pressed", () => {
    expect(isOn(found(placeOf(INPUTS, HOOK)), data())).toBe(false);
  });
  it("of a device without a telephone's buttons have no place for them", () => {
    expect(placeOf([{ items: [{ usages: [0x0c00e9], reportSize: 1, reportCount: 1 }] }], HOOK)).toBeUndefined();
  });
});
