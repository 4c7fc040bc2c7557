import { describe, expect, it } from "vitest";

import { settingsOf, textOf } from "./settings";

const FORMER = { host: "x", channels: "30", owns: ["+33383000100"], secret: { env: "A" }, register: "true" };
const AS_SHOWN = { host: "x", channels: "30", owns: "+33383000100", secret: "A", register: "on" };

describe("settingsOf", () => {
  it("leaves what nobody changed as the plan has it", () => {
    expect(settingsOf(AS_SHOWN, FORMER)).toEqual(FORMER);
  });

  it("writes numbers, lists and secrets as a plan does", () => {
    const answers = { ...AS_SHOWN, channels: "40", owns: "+33383000100\n+33383000200..+33383000299", secret: "B" };
    expect(settingsOf(answers, FORMER)).toEqual({
      host: "x",
      channels: 40,
      owns: ["+33383000100", "+33383000200..+33383000299"],
      secret: { env: "B" },
      register: "true",
    });
  });

  it("takes out what was emptied", () => {
    expect(settingsOf({ host: "x" }, FORMER)).toEqual({ host: "x" });
  });

  it("keeps settings that the form doesn't know", () => {
    expect(settingsOf(AS_SHOWN, { ...FORMER, later: "y" })).toEqual({ ...FORMER, later: "y" });
  });

  it("shows a list a line each and a secret by its variable", () => {
    expect([textOf(["a", "b"]), textOf({ env: "A" }), textOf(undefined)]).toEqual(["a\nb", "A", ""]);
  });
});
