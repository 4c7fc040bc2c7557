import { describe, expect, test } from "vitest";

import { readLink } from "./link";

const HOST = "valmont.example";

describe("a link that is a number", () => {
  test.each([
    ["tel:+33-3-83-00-01-00", "+33383000100"],
    ["tel:+33%20383000100", "+33383000100"],
    ["TEL:03.83.00.01.00", "0383000100"],
    ["tel:(03)83000100", "0383000100"],
    ["tel:1002;phone-context=valmont.example", "1002"],
    ["web+tel:+33383000100", "+33383000100"],
    ["+33383000100", "+33383000100"],
    ["sip:1002@valmont.example", "1002"],
    ["sips:1002@VALMONT.example:5061;transport=tls", "1002"],
    ["sip:+33383000100@operateur.example;user=phone", "+33383000100"],
  ])("%s is %s", (link, number) => {
    expect(readLink(link, HOST)).toEqual({ number, extension: "" });
  });

  test("names what is pressed afterwards", () => {
    expect(readLink("tel:+33-1-23-45-67-89;ext=4-2", HOST)).toEqual({ number: "+33123456789", extension: "42" });
  });
});

describe("a link that is refused", () => {
  test.each([
    ["javascript:alert(1)", "strange"],
    ["https://example.org/", "strange"],
    ["tel:", "strange"],
    ["tel:bonjour", "strange"],
    ["tel:+33383000100;ext=*21", "strange"],
    ["tel:%E0%A4%A", "strange"],
    [`tel:${"1".repeat(300)}`, "strange"],
    ["sip:alice", "strange"],
    ["sip:bruno@valmont.example", "strange"],
    ["sip:1002@autre.example", "elsewhere"],
    ["tel:*21*0612345678%23", "code"],
    ["sip:*72@valmont.example", "code"],
  ])("%s is %s", (link, why) => {
    expect(readLink(link, HOST)).toBe(why);
  });
});
