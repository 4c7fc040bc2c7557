import { expect, test } from "vitest";

import { type KeptCall, LASTING_SECONDS, read, readLeft, replaces, written } from "./keeping";

const call: KeptCall = {
  id: "c1",
  dialog: { callId: "abc@host", localTag: "ours", remoteTag: "theirs" },
  direction: "in",
  number: "1002",
  name: "Bruno Petit",
  through: "",
  startedAt: 100,
  answeredAt: 105,
  isHeld: false,
  isMuted: true,
};

// RFC 3891 section 6.1: to-tag is that of whoever gets the header, from-tag that of its peer.
test("the header names the dialog as the node sees it", () => {
  expect(replaces(call.dialog)).toBe("Replaces: abc@host;to-tag=theirs;from-tag=ours");
});

test("what was written is read again within the time that the node waits", () => {
  expect(read(written([call], 1000), 1000 + LASTING_SECONDS - 1)).toEqual([call]);
});

test("a call that the node has ended by now isn't taken up", () => {
  expect(read(written([call], 1000), 1000 + LASTING_SECONDS + 1)).toEqual([]);
});

test("what isn't such a text is no call", () => {
  for (const text of [null, "", "[]", "{", '{"at":1000,"calls":3}', '{"at":1000,"calls":[null,{},{"id":"x"}]}']) {
    expect(read(text, 1000)).toEqual([]);
  }
});

test("a tag that would break out of its header is no tag", () => {
  const evil = { ...call, dialog: { ...call.dialog, localTag: "a\r\nX: y" } };
  expect(read(written([evil], 1000), 1000)).toEqual([]);
});

test("a call that was left unanswered is told while it is new, and nothing else is", () => {
  const text = '{"at":1000,"calls":[{"number":"1002","name":""},{"number":7,"name":""},null]}';
  expect(readLeft(text, 1005)).toEqual([{ number: "1002", name: "" }]);
  expect(readLeft(text, 1001 + LASTING_SECONDS)).toEqual([]);
  expect(readLeft("[", 1000)).toEqual([]);
});
