/**
 * What happens on the node, as it happens: one socket for all of a page's listeners.
 *
 * It listens to the kinds that somebody wants, is opened again when it is lost, and says which it is: the frame
 * tells the reader, and every `useResource` reads again once it is back, since nobody knows what was missed.
 */
import { useEffect, useRef, useSyncExternalStore } from "react";

import { readSession, signedIn } from "./session";

export interface NodeEvent {
  readonly event: string;
  /** When it happened, as RFC 3339 writes it. */
  readonly at: string;
  readonly [field: string]: unknown;
}
type Listener = (event: NodeEvent) => void;
export type Link = "idle" | "opening" | "live" | "lost";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

const wanted = new Map<Listener, readonly string[]>();
const watchers = new Set<() => void>();
let socket: WebSocket | undefined;
let listening = "";
let link: Link = "idle";
let readings = 0;
let waitMs = FIRST_WAIT_MS;
let timer: ReturnType<typeof setTimeout> | undefined;
let isDue = false;

function say(state: Link): void {
  if (state === link) return;
  link = state;
  for (const watcher of watchers) watcher();
}

// The kinds of several components that appear together make one socket, not several.
function soon(): void {
  if (isDue) return;
  isDue = true;
  queueMicrotask(() => {
    isDue = false;
    open();
  });
}

function open(): void {
  const kinds = [...new Set([...wanted.values()].flat())].sort().join(",");
  const isOut = signedIn().state !== "in";
  if (socket !== undefined && kinds === listening && !isOut) return;
  clearTimeout(timer);
  const old = socket;
  socket = undefined;
  old?.close();
  listening = kinds;
  if (kinds === "" || isOut) {
    say("idle");
    return;
  }
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const made = new WebSocket(`${scheme}://${location.host}/api/v1/events?kinds=${encodeURIComponent(kinds)}`);
  socket = made;
  if (link !== "lost") say("opening");
  made.onopen = () => {
    if (made === socket) opened();
  };
  made.onmessage = (message) => tell(String(message.data));
  made.onclose = () => {
    if (made === socket) lost();
  };
}

function opened(): void {
  waitMs = FIRST_WAIT_MS;
  if (link === "lost") readings += 1;
  say("live");
}

function lost(): void {
  socket = undefined;
  say("lost");
  timer = setTimeout(() => {
    // The server closes the socket of a session that ended: ask which of the two it was.
    void readSession().then(open);
  }, waitMs);
  waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
}

function missed(): void {
  readings += 1;
  for (const watcher of watchers) watcher();
}

function tell(lines: string): void {
  for (const line of lines.split("\n")) {
    if (line.trim() === "") continue;
    const said = JSON.parse(line) as NodeEvent;
    for (const [listener, kinds] of wanted) if (kinds.includes(said.event)) listener(said);
    // We were too slow to be told all: whatever is shown is read again.
    if (said.event === "EventsLost") missed();
  }
}

function subscribe(watcher: () => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** How the live connection is. */
export function useLink(): Link {
  return useSyncExternalStore(subscribe, () => link);
}

/** A number that changes when everything shown should be read again. */
export function useReadings(): number {
  return useSyncExternalStore(subscribe, () => readings);
}

/** Call `listener` for each event of these kinds; returns how to hear no more. */
export function listenTo(kinds: readonly string[], listener: Listener): () => void {
  wanted.set(listener, kinds);
  soon();
  return () => {
    wanted.delete(listener);
    soon();
  };
}

/** Call `onEvent` for each event of these kinds, as long as the component is drawn. */
export function useEvents(kinds: readonly string[], onEvent: Listener): void {
  const latest = useRef(onEvent);
  useEffect(() => {
    latest.current = onEvent;
  });
  const named = kinds.join(",");
  useEffect(() => {
    if (named === "") return undefined;
    return listenTo(named.split(","), (event) => latest.current(event));
  }, [named]);
}
