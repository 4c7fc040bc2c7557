import { expect, test } from "vitest";

import type { PhoneCall } from "../telephone/shapes";
import { type ScreenPop, filled, openingsOf } from "./popping";

const CALL = {
  id: "a",
  direction: "in",
  state: "ringing",
  number: "+33612345678",
  name: "Zoé Lemaire",
  through: "standard",
  nodeCall: "c1",
  answeredAt: undefined,
} as PhoneCall;
const POP: ScreenPop = { url: "https://crm.example/?tel={number}", when: "ringing", services: [] };

test("what a caller is called stays within its place", () => {
  const name = "&admin=1#x?/../<b>";
  const url = filled("https://crm.example/f?n={name}&t={number}", { name, number: "+33612345678" });
  expect(new URL(url).searchParams.get("n")).toBe(name);
  expect(url).toBe(`https://crm.example/f?n=${encodeURIComponent(name)}&t=%2B33612345678`);
  expect(new URL(url).host).toBe("crm.example");
});

test("a page opens when it rings, or when it is answered", () => {
  const answered: ScreenPop = { ...POP, when: "answered" };
  expect(openingsOf([POP, answered], [CALL], "1001").map((one) => one.key)).toEqual(["a 0"]);
  const talking = { ...CALL, state: "talking", answeredAt: 1 } as PhoneCall;
  expect(openingsOf([POP, answered], [talking], "1001").map((one) => one.key)).toEqual(["a 0", "a 1"]);
});

test("it opens for calls of its services, and never for those that one makes", () => {
  expect(openingsOf([{ ...POP, services: ["etat-civil"] }], [CALL], "1001")).toEqual([]);
  expect(openingsOf([{ ...POP, services: ["standard"] }], [CALL], "1001")).toHaveLength(1);
  expect(openingsOf([POP], [{ ...CALL, direction: "out" }], "1001")).toEqual([]);
});

test("it waits for the call's id where its address holds one", () => {
  const pop = { ...POP, url: "https://crm.example/?c={call}" };
  expect(openingsOf([pop], [{ ...CALL, nodeCall: "" }], "1001")).toEqual([]);
  expect(openingsOf([pop], [CALL], "1001")[0]?.url).toBe("https://crm.example/?c=c1");
});
