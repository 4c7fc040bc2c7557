/** Short notices of what has been done, said to a screen reader too. They go when one closes them, or by themselves. */
import { useEffect, useSyncExternalStore } from "react";

import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { Button } from "./Button";

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly kind: "good" | "bad";
}

const SHOWN_MS = 8000;
const watchers = new Set<() => void>();
let notices: readonly Notice[] = [];
let last = 0;

function change(next: readonly Notice[]): void {
  notices = next;
  for (const watcher of watchers) watcher();
}

/** Say something short. What went wrong stays until it is closed. */
export function notify(text: string, kind: "good" | "bad" = "good"): void {
  last += 1;
  change([...notices.slice(-2), { id: last, text, kind }]);
}

function close(id: number): void {
  change(notices.filter((notice) => notice.id !== id));
}

export function Notices() {
  const words = useTexts(shell);
  const shown = useSyncExternalStore(
    (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    () => notices,
  );
  return (
    <section className="notices" aria-label={words.notices} aria-live="polite">
      {shown.map((notice) => (
        <Shown key={notice.id} notice={notice} />
      ))}
    </section>
  );
}

function Shown({ notice }: { readonly notice: Notice }) {
  const words = useTexts(shell);
  useEffect(() => {
    if (notice.kind === "bad") return undefined;
    const timer = setTimeout(() => close(notice.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <div className={`notice ${notice.kind}`}>
      <p>{notice.text}</p>
      <Button kind="quiet" label={words.dismiss} onPress={() => close(notice.id)}>
        ×
      </Button>
    </div>
  );
}
