import { expect, test } from "vitest";

import { identityOf } from "./identity";

test("a quoted name and a number", () => {
  expect(identityOf('"Alice Martin" <sip:1001@valmont.example>;tag=a')).toEqual({
    number: "1001",
    name: "Alice Martin",
  });
});

test("a name without quotes, a number with its plus", () => {
  expect(identityOf("Mairie <sip:+33383000100@valmont.example;user=phone>")).toEqual({
    number: "+33383000100",
    name: "Mairie",
  });
});

test("quotes within a name are what they stand for", () => {
  expect(identityOf('"Le \\"petit\\" Bruno" <sip:1002@x>')?.name).toBe('Le "petit" Bruno');
});

test("a name that only repeats the number is none", () => {
  expect(identityOf('"1002" <sip:1002@x>')).toEqual({ number: "1002", name: "" });
});

test("who hides has neither", () => {
  expect(identityOf('"Anonymous" <sip:anonymous@anonymous.invalid>')).toEqual({ number: "", name: "" });
});

test("what is no address is nobody", () => {
  expect(identityOf(undefined)).toBeUndefined();
  expect(identityOf("<sip:%zz")).toBeUndefined();
  expect(identityOf('"unclosed <sip:1@x>')).toBeUndefined();
});
