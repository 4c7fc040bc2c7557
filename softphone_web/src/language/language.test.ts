import { expect, test } from "vitest";

import { fold, matches, wordsOf } from "./folding";

test("accents, ligatures and capitals make no difference to a search", () => {
  expect(fold("Élodie Lœuillet, L’Haÿ")).toBe("elodie loeuillet, l'hay");
});

test("every word of a query must be there, in any order", () => {
  const folded = fold("Mairie annexe, état civil");
  expect(matches(folded, wordsOf("civil  MAIRIE"))).toBe(true);
  expect(matches(folded, wordsOf("mairie voirie"))).toBe(false);
});
