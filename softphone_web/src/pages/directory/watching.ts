/** What those are doing whose rows are drawn: asked together as they come into sight, then told as it changes. */
import { createContext } from "react";

import { api } from "../../server/api";
import type { NodeEvent } from "../../server/events";
import type { Colleague, Doing } from "../around/presence";

const GATHER_MS = 100;
const MOST_ASKED = 200;

export class Watch {
  #known = new Map<string, Colleague | undefined>();
  #wanted = new Set<string>();
  #listeners = new Set<() => void>();
  #due: ReturnType<typeof setTimeout> | undefined;

  /** What somebody is doing; undefined where that isn't known, or not told. */
  readonly of = (extension: string): Colleague | undefined => this.#known.get(extension);

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Somebody is shown. */
  readonly want = (extension: string): void => {
    if (this.#known.has(extension)) return;
    this.#wanted.add(extension);
    this.#soon();
  };

  /** Something has changed, as an event says. */
  readonly tell = (event: NodeEvent): void => {
    const extension = String(event["extension"]);
    const known = this.#known.get(extension);
    if (known === undefined) return;
    const now = { state: event["state"] as Doing, is_forwarded: event["is_forwarded"] === true };
    this.#known.set(extension, { ...known, ...now });
    this.#say();
  };

  /** Events may have been missed: ask of all anew. What was known stays shown until the answer. */
  readonly askAnew = (): void => {
    for (const extension of this.#known.keys()) this.#wanted.add(extension);
    this.#soon();
  };

  readonly #ask = (): void => {
    const asked = [...this.#wanted].slice(0, MOST_ASKED);
    for (const extension of asked) this.#wanted.delete(extension);
    this.#due = undefined;
    this.#soon();
    api.get<{ readonly items: readonly Colleague[] }>(`/directory/presence?of=${asked.join(",")}`).then(
      (answer) => {
        for (const extension of asked) this.#known.set(extension, undefined);
        for (const one of answer.items) this.#known.set(one.extension, one);
        this.#say();
      },
      () => undefined, // their column stays empty; the page's own reading says what is wrong
    );
  };

  #soon(): void {
    if (this.#wanted.size > 0 && this.#due === undefined) this.#due = setTimeout(this.#ask, GATHER_MS);
  }

  #say(): void {
    for (const listener of this.#listeners) listener();
  }
}

export const Watching = createContext(new Watch());
