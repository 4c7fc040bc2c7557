/** What colleagues are doing, live: asked once for those who are shown, then told as it changes. */
import { useState } from "react";

import { type NodeEvent, useEvents } from "../../server/events";
import { useResource } from "../../server/resource";

export type Doing = "free" | "in_call" | "ringing" | "do_not_disturb" | "away" | "not_there";

export interface Colleague {
  readonly extension: string;
  readonly name: string;
  readonly state: Doing;
  readonly is_forwarded: boolean;
}

interface Answer {
  readonly items: readonly Colleague[];
  readonly pick_up: string;
  readonly switchboard: string;
  readonly echo: string;
}

export interface Presence {
  /** What somebody is doing; undefined of whom one may not see. */
  readonly of: (extension: string) => Colleague | undefined;
  readonly items: readonly Colleague[];
  /** What to dial to take the call that rings there, "" where the plan has no code for it. */
  readonly pickUp: (extension: string) => string;
  readonly switchboard: string;
  readonly echo: string;
  readonly isKnown: boolean;
}

const EVENTS = ["PresenceChanged"];
const UNKNOWN: Answer = { items: [], pick_up: "", switchboard: "", echo: "" };

/** Of these extensions; undefined: of those who share a group with oneself. */
export function usePresence(extensions?: readonly string[]): Presence {
  const asked = extensions === undefined ? "" : `?of=${extensions.join(",")}`;
  const isNobody = extensions?.length === 0;
  const answer = useResource<Answer>(isNobody ? undefined : `/directory/presence${asked}`);
  // What was known stays shown while others are asked for.
  const [kept, setKept] = useState<Answer>();
  if (answer.data !== undefined && answer.data !== kept) setKept(answer.data);
  const known = answer.data ?? kept ?? UNKNOWN;
  const [news, setNews] = useState<{ since: Answer | undefined; told: ReadonlyMap<string, NodeEvent> }>();
  useEvents(EVENTS, (event) =>
    setNews((before) => {
      const told = before !== undefined && before.since === kept ? before.told : new Map<string, NodeEvent>();
      return { since: kept, told: new Map([...told, [String(event["extension"]), event]]) };
    }),
  );
  const told = news !== undefined && news.since === known ? news.told : undefined;
  const items = known.items.map((one) => {
    const newer = told?.get(one.extension);
    if (newer === undefined) return one;
    return { ...one, state: newer["state"] as Doing, is_forwarded: newer["is_forwarded"] === true };
  });
  return {
    of: (extension) => items.find((one) => one.extension === extension),
    items,
    pickUp: (extension) => known.pick_up.replace("{extension}", extension),
    switchboard: known.switchboard,
    echo: known.echo,
    isKnown: answer.data !== undefined || kept !== undefined,
  };
}
