import { describe, expect, it } from "vitest";

import { endOf } from "./lengths";

const SUNDAY = new Date(2026, 10, 22, 16, 30);
const at = (...parts: [number, number, number, number, number]) => new Date(...parts).getTime() / 1000;

describe("for how long", () => {
  it("is for ever where nothing is said", () => {
    expect(endOf("for_ever", SUNDAY)).toBe(0);
  });
  it("is an hour from now", () => {
    expect(endOf("hour", SUNDAY)).toBe(at(2026, 10, 22, 17, 30));
  });
  it("is this evening, or tomorrow's once that is past", () => {
    expect(endOf("evening", SUNDAY)).toBe(at(2026, 10, 22, 18, 0));
    expect(endOf("evening", new Date(2026, 10, 22, 19, 0))).toBe(at(2026, 10, 23, 18, 0));
  });
  it("is tomorrow morning", () => {
    expect(endOf("tomorrow", SUNDAY)).toBe(at(2026, 10, 23, 8, 0));
  });
  it("is the next Monday, never today's", () => {
    expect(endOf("monday", SUNDAY)).toBe(at(2026, 10, 23, 8, 0));
    expect(endOf("monday", new Date(2026, 10, 23, 7, 0))).toBe(at(2026, 10, 30, 8, 0));
  });
});
