import { beforeAll, expect, test, vi } from "vitest";

interface Both {
  readonly fr: Readonly<Record<string, unknown>>;
  readonly en: Readonly<Record<string, unknown>>;
}

const catalogues = new Map<string, Both>();

beforeAll(async () => {
  vi.stubGlobal("localStorage", { getItem: () => null });
  vi.stubGlobal("navigator", { language: "fr" });
  vi.stubGlobal("document", { documentElement: {} });
  const modules = import.meta.glob<Record<string, unknown>>(["./*.ts", "!./*.test.ts"]);
  for (const [path, load] of Object.entries(modules)) {
    for (const [name, value] of Object.entries(await load())) {
      if (isCatalogue(value)) catalogues.set(`${path} ${name}`, value);
    }
  }
});

function isCatalogue(value: unknown): value is Both {
  return typeof value === "object" && value !== null && "fr" in value && "en" in value;
}

/** Every wording as text; a function of numbers or of words is asked with something of each. */
function wordings(words: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(words).map(([key, wording]) => {
    if (typeof wording !== "function") return [key, String(wording)];
    // A wording that French has spaced takes any number of values, so it says it takes none.
    const asked = Array.from({ length: 4 }, () => "2");
    return [key, String((wording as (...values: string[]) => unknown)(...asked))];
  });
}

test("both languages have the same keys, and there are catalogues at all", () => {
  expect(catalogues.size).toBeGreaterThan(3);
  for (const [name, { fr, en }] of catalogues) {
    expect(Object.keys(en).sort(), name).toEqual(Object.keys(fr).sort());
  }
});

test("French is written as French is: no straight apostrophe, no breakable space before a colon", () => {
  const wrong = [...catalogues].flatMap(([name, { fr }]) =>
    wordings(fr)
      .filter(([, text]) => /\p{L}'\p{L}| [:;!?»]|« /u.test(text))
      .map(([key, text]) => `${name}.${key}: ${text}`),
  );
  expect(wrong).toEqual([]);
});

test("nothing is said in French that is empty", () => {
  const empty = [...catalogues].flatMap(([name, { fr }]) =>
    wordings(fr)
      .filter(([, text]) => text.trim() === "")
      .map(([key]) => `${name}.${key}`),
  );
  expect(empty).toEqual([]);
});
