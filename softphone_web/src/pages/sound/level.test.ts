import { describe, expect, it } from "vitest";

import { levelOf, loudnessOf } from "./level";

const tone = (amplitude: number) => Float32Array.from({ length: 1024 }, (_, at) => amplitude * Math.sin(at / 4));

describe("the level of a microphone", () => {
  it("is nothing in silence, and all at full scale", () => {
    expect(levelOf(new Float32Array(1024))).toBe(0);
    expect(levelOf(new Float32Array(1024).fill(1))).toBe(1);
  });
  it("grows with what is heard", () => {
    expect(levelOf(tone(0.1))).toBeGreaterThan(levelOf(tone(0.01)));
  });
  it("is said in a word", () => {
    expect([0, 0.2, 0.6, 0.98].map(loudnessOf)).toEqual(["none", "low", "good", "loud"]);
  });
});
