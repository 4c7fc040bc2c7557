/**
 * What a page reads from the server.
 *
 *     const people = useResource<List<Person>>("/people");
 *     const calls = useResource<List<Call>>("/calls", { events: ["CallRinging", "CallEnded"] });
 *
 * What is known stays shown while it is read again. An event of those named reads again, at most twice a second.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";

import { type List, type Options, ServerProblem, api } from "./api";
import { useEvents, useReadings } from "./events";

export interface Resource<T> {
  readonly data: T | undefined;
  readonly problem: ServerProblem | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

const AT_MOST_EVERY_MS = 500;
const NO_EVENTS: readonly string[] = [];

interface Known<T> {
  readonly path: string;
  readonly data: T | undefined;
  readonly problem: ServerProblem | undefined;
}

/** path: after /api/v1, with its query; undefined reads nothing yet. */
export function useResource<T>(
  path: string | undefined,
  options: { readonly events?: readonly string[] } = {},
): Resource<T> {
  const [known, setKnown] = useState<Known<T>>();
  const [asked, setAsked] = useState(0);
  const readings = useReadings();
  const due = useRef<ReturnType<typeof setTimeout>>(undefined);
  const reload = useCallback(() => setAsked((times) => times + 1), []);

  useEffect(() => {
    if (path === undefined) return undefined;
    const stopped = new AbortController();
    api.get<T>(path, { signal: stopped.signal }).then(
      (data) => setKnown({ path, data, problem: undefined }),
      (failure: unknown) => {
        if (stopped.signal.aborted) return;
        setKnown((before) => ({
          path,
          data: before?.path === path ? before.data : undefined,
          problem: asProblem(failure),
        }));
      },
    );
    return () => stopped.abort();
  }, [path, asked, readings]);

  useEffect(() => () => clearTimeout(due.current), []);
  useEvents(options.events ?? NO_EVENTS, () => {
    if (due.current !== undefined) return;
    due.current = setTimeout(() => {
      due.current = undefined;
      reload();
    }, AT_MOST_EVERY_MS);
  });

  const isThis = known?.path === path;
  return {
    data: isThis ? known?.data : undefined,
    problem: isThis ? known?.problem : undefined,
    isLoading: path !== undefined && !isThis,
    reload,
  };
}

export interface Listing<Item> extends Omit<Resource<readonly Item[]>, "data"> {
  readonly items: readonly Item[];
  /** Reads what follows; undefined at the end. */
  readonly more: (() => void) | undefined;
}

/** A list that comes in pieces (`{"items": […], "next": "…"}`): the first at once, those after by `more`. */
export function useList<Item>(
  path: string | undefined,
  options: { readonly events?: readonly string[] } = {},
): Listing<Item> {
  const first = useResource<List<Item>>(path, options);
  const [rest, setRest] = useState<{ of: List<Item>; items: readonly Item[]; next: string }>();
  const [problem, setProblem] = useState<ServerProblem>();
  const begun = first.data;
  const added = rest !== undefined && rest.of === begun ? rest : undefined;
  const next = added?.next ?? begun?.next ?? "";
  const more = useCallback(() => {
    if (path === undefined || begun === undefined) return;
    const joined = path.includes("?") ? "&" : "?";
    api.get<List<Item>>(`${path}${joined}after=${encodeURIComponent(next)}`).then(
      (piece) => {
        setProblem(undefined);
        setRest({ of: begun, items: [...(added?.items ?? []), ...piece.items], next: piece.next });
      },
      (failure: unknown) => setProblem(asProblem(failure)),
    );
  }, [path, begun, added, next]);
  const items = useMemo(() => [...(begun?.items ?? []), ...(added?.items ?? [])], [begun, added]);
  return {
    items,
    problem: first.problem ?? problem,
    isLoading: first.isLoading,
    reload: first.reload,
    more: next === "" ? undefined : more,
  };
}

/** Do something on the server from a button: whether it runs, and what went wrong the last time. */
export function useAction(): {
  readonly isBusy: boolean;
  readonly problem: ServerProblem | undefined;
  readonly run: (work: (options: Options) => Promise<unknown>) => Promise<boolean>;
  readonly forget: () => void;
} {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ServerProblem>();
  const run = async (work: (options: Options) => Promise<unknown>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await work({});
      return true;
    } catch (failure) {
      setProblem(asProblem(failure));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, problem, run, forget: () => setProblem(undefined) };
}

export function asProblem(failure: unknown): ServerProblem {
  if (failure instanceof ServerProblem) return failure;
  if (failure instanceof Error) return new ServerProblem(0, "internal", failure.message);
  return new ServerProblem(0, "internal", String(failure));
}
