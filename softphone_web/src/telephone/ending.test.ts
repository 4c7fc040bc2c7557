import { expect, test } from "vitest";

import { endingOf } from "./ending";

const nothing = { status: undefined, reasons: [] };

test("a status says why where nothing else does", () => {
  expect(endingOf({ status: 486, reasons: [] }, "over")).toBe("busy");
  expect(endingOf({ status: 404, reasons: [] }, "over")).toBe("no_such_number");
  expect(endingOf({ status: 403, reasons: [] }, "over")).toBe("not_allowed");
  expect(endingOf({ status: 599, reasons: [] }, "over")).toBe("server");
});

test("a call that hangs up without a reason is over", () => {
  expect(endingOf(nothing, "over")).toBe("over");
});

test("a reason of an operator says more than the status that carried it", () => {
  expect(endingOf({ status: 480, reasons: ['Q.850;cause=1;text="Unallocated"'] }, "over")).toBe("no_such_number");
  expect(endingOf({ status: undefined, reasons: ["Q.850 ; cause=17"] }, "over")).toBe("busy");
});

test("normal clearing is no reason", () => {
  expect(endingOf({ status: 486, reasons: ["Q.850;cause=16"] }, "over")).toBe("busy");
});

test("a call that another telephone answered isn't missed", () => {
  expect(endingOf({ status: undefined, reasons: ['SIP;cause=200;text="Call completed elsewhere"'] }, "given_up")).toBe(
    "elsewhere",
  );
});

test("a call that was transferred says so", () => {
  expect(endingOf({ status: undefined, reasons: ['SIP;cause=200;text="Transferred"'] }, "over")).toBe("transferred");
});

test("a reason that nobody knows changes nothing", () => {
  expect(endingOf({ status: undefined, reasons: ["X;cause=99999", "SIP", ";;;", "Q.850;cause=999"] }, "over")).toBe(
    "over",
  );
});
