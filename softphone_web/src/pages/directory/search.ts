/**
 * Finding as one types: at once in what is loaded, then as the server ranks it, which hears names too.
 *
 * What is loaded answers at the first key: each word that is typed begins a word of the name, or is in a number.
 * It is everybody a moment after the page was opened: a piece at a time, while the browser has nothing to do.
 * The server's answer replaces it a moment later: it knows what sounds like what was typed.
 */
import { useEffect, useMemo, useState } from "react";

import { fold, wordsOf } from "../../language/folding";
import type { List, ServerProblem } from "../../server/api";
import { useList, useResource } from "../../server/resource";
import type { Entry, Kind } from "./shapes";

const PAUSE_MS = 120;
const PIECE = 1000;
const MOST_LOADED = 20_000;
const NEXT_PIECE_WITHIN_MS = 500;
/** What a search gives at most: more than that nobody reads. */
export const MOST_FOUND = 200;

export interface Found {
  readonly rows: readonly Entry[];
  readonly isLoading: boolean;
  readonly problem: ServerProblem | undefined;
  readonly reload: () => void;
  readonly more: (() => void) | undefined;
}

export function useSearch(typed: string, kind: Kind | ""): Found {
  const asked = usePaused(typed.trim());
  const among = kind === "" ? "" : `&kind=${kind}`;
  const loaded = useList<Entry>(`/directory?limit=${PIECE}${among}`);
  useAllPieces(loaded.items.length, loaded.more);
  useEffect(() => loaded.items.forEach(beginnings), [loaded.items]);
  const path = `/directory?limit=${MOST_FOUND}${among}&search=${encodeURIComponent(asked)}`;
  const answer = useResource<List<Entry>>(asked === "" ? undefined : path);
  const here = useMemo(() => begunBy(loaded.items, wordsOf(typed)), [typed, loaded.items]);

  if (typed.trim() === "") return { ...loaded, rows: loaded.items };
  const isAnswered = asked === typed.trim() && answer.data !== undefined;
  return {
    rows: isAnswered ? answer.data.items : here,
    isLoading: !isAnswered && answer.problem === undefined,
    problem: loaded.problem ?? answer.problem,
    reload: answer.reload,
    more: undefined,
  };
}

/** Read piece after piece while the browser is idle, so that no key waits for one. */
function useAllPieces(count: number, more: (() => void) | undefined): void {
  const isWanted = count > 0 && count < MOST_LOADED;
  useEffect(() => {
    if (more === undefined || !isWanted) return undefined;
    if (!("requestIdleCallback" in window)) {
      const waiting = setTimeout(more, NEXT_PIECE_WITHIN_MS);
      return () => clearTimeout(waiting);
    }
    const waiting = requestIdleCallback(more, { timeout: NEXT_PIECE_WITHIN_MS });
    return () => cancelIdleCallback(waiting);
  }, [isWanted, more]); // `more` is another one for each piece, and where the list was read anew
}

/** Those of whom each word begins a word, as many as are shown. */
function begunBy(entries: readonly Entry[], words: readonly string[]): Entry[] {
  const found: Entry[] = [];
  const begins = words.map((word) => ` ${word}`);
  for (const entry of entries) {
    if (found.length === MOST_FOUND) break;
    const known = beginnings(entry);
    if (begins.every((word) => known.includes(word))) found.push(entry);
  }
  return found;
}

const folded = new WeakMap<Entry, string>();

/** What may be typed to find an entry, each word with a blank before it. */
function beginnings(entry: Entry): string {
  const known = folded.get(entry);
  if (known !== undefined) return known;
  const words = fold(`${entry.name} ${entry.site_title} ${entry.groups.join(" ")}`).replace(/[^\p{L}\p{N}]+/gu, " ");
  const national = entry.public_number.replace(/^\+33/, "0");
  const made = ` ${words} ${entry.number} ${national} ${entry.public_number}`;
  folded.set(entry, made);
  return made;
}

/** What was typed, once whoever types has paused. */
function usePaused(typed: string): string {
  const [paused, setPaused] = useState(typed);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return paused;
}
