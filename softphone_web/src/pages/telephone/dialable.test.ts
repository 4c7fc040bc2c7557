import { expect, test } from "vitest";

import { dialable } from "./dialable";

test("spaces, points and brackets are for the eye", () => {
  expect(dialable(" 03 83.00-01/00 ")).toBe("0383000100");
  expect(dialable("+33 (0)3 83 00 01 00")).toBe("+33383000100");
});

test("a link's number is a number", () => {
  expect(dialable("tel:+33-3-83-00-01-00")).toBe("+33383000100");
});

test("codes are dialled as they are", () => {
  expect(dialable("*21*1002")).toBe("*21*1002");
  expect(dialable("#21#")).toBe("#21#");
});

test("what is no number isn't dialled", () => {
  for (const typed of ["", "   ", "Bruno", "12;34", "sip:bruno@x", "1".repeat(41)]) expect(dialable(typed)).toBe("");
});
