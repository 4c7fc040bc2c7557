import { describe, expect, it } from "vitest";

import { comparedLines } from "./lines";

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);
const signs = { same: " ", removed: "-", added: "+" } as const;
const shown = (before: readonly string[], after: readonly string[]) =>
  comparedLines(before.join("\n"), after.join("\n"))?.map((piece) =>
    piece.map((line) => `${signs[line.kind]}${line.number} ${line.text}`),
  );

describe("comparedLines", () => {
  it("shows what differs with two lines around it", () => {
    const before = numbered(9);
    const after = before.with(4, "other");
    expect(shown(before, after)).toEqual([
      [" 3 line 3", " 4 line 4", "-5 line 5", "+5 other", " 6 line 6", " 7 line 7"],
    ]);
  });

  it("shows differences that are far apart in pieces", () => {
    const before = numbered(30);
    const after = before.with(2, "a").with(20, "b");
    expect(shown(before, after)?.length).toBe(2);
  });

  it("finds lines that come in and go", () => {
    expect(shown(["a", "b", "c"], ["a", "c", "d"])).toEqual([[" 1 a", "-2 b", " 2 c", "+3 d"]]);
  });

  it("shows nothing of texts that are the same", () => {
    expect(shown(["a", "b"], ["a", "b"])).toEqual([]);
  });

  it("gives up on texts that have nothing in common and are long", () => {
    const other = numbered(4000).map((line) => `x${line}`);
    expect(shown(numbered(4000), other)).toBeUndefined();
  });
});
