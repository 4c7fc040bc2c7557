/** What went wrong, in words; and the other two things a page can show instead of its content. */
import type { ReactNode } from "react";

import { problems } from "../language/problems";
import { reasonInFrench } from "../language/reasons";
import { shell } from "../language/shell";
import { joined, language, useTexts } from "../language/texts";
import type { ServerProblem } from "../server/api";
import { Button } from "./Button";

/** The sentence for a problem: ours by its code, else what the server said. */
export function useSaying(): (problem: ServerProblem) => string {
  const words = useTexts(problems);
  return (problem) => {
    const known = (words as Readonly<Record<string, unknown>>)[problem.code];
    const reason = problem.code === "not_possible_now" && language() === "fr" ? reasonInFrench(problem.detail) : undefined;
    if (reason !== undefined) return joined(reason);
    // What the server says is in English, and more exact.
    const isSaid = typeof known === "string" && known !== "";
    if (isSaid && (language() === "fr" || problem.detail === "")) return known;
    return [problem.detail, problem.mend].filter(Boolean).join(" ") || words.internal;
  };
}

export function Problem({
  problem,
  onRetry,
}: {
  readonly problem: ServerProblem;
  readonly onRetry?: (() => void) | undefined;
}) {
  const words = useTexts(problems);
  const say = useSaying();
  return (
    <div className="problem" role="alert">
      <p>{say(problem)}</p>
      {problem.request !== "" && problem.status >= 500 && (
        <p className="hint">{words.reference(problem.request)}</p>
      )}
      {onRetry !== undefined && <Button onPress={onRetry}>{words.try_again}</Button>}
    </div>
  );
}

/** Nothing is there yet: why, and what to do about it. */
export function Empty({ children, actions }: { readonly children: ReactNode; readonly actions?: ReactNode }) {
  return (
    <div className="empty">
      <p>{children}</p>
      {actions !== undefined && <div className="actions">{actions}</div>}
    </div>
  );
}

/** It is being read. It appears after a moment only, so that what is quick doesn't flicker. */
export function Loading() {
  const words = useTexts(shell);
  return (
    <p className="loading" role="status">
      {words.loading}
    </p>
  );
}
