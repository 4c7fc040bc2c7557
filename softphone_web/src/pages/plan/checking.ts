/** A text checked as one writes: after a pause, one answer at a time, and what is out of date isn't shown. */
import { useEffect, useState } from "react";

import { type ServerProblem, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import type { Checked } from "./shapes";

const PAUSE_MS = 500;

export interface Checking {
  readonly found: Checked | undefined;
  readonly problem: ServerProblem | undefined;
  /** Whether what was found is of a text before this one. */
  readonly isOld: boolean;
}

export function useChecking(text: string): Checking {
  const [answer, setAnswer] = useState<{ of: string; found?: Checked; problem?: ServerProblem }>();
  useEffect(() => {
    const stopped = new AbortController();
    const timer = setTimeout(() => {
      api.post<Checked>("/plan/check", { text }, { signal: stopped.signal }).then(
        (found) => setAnswer({ of: text, found }),
        (failure: unknown) => {
          if (!stopped.signal.aborted) setAnswer({ of: text, problem: asProblem(failure) });
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      stopped.abort();
    };
  }, [text]);
  return { found: answer?.found, problem: answer?.problem, isOld: answer?.of !== text };
}
