/** A state: a shape and a word before a colour, since some see no colour. */
import type { ReactNode } from "react";

export type Kind = "good" | "busy" | "ringing" | "warning" | "bad" | "off";

const SHAPES: Readonly<Record<Kind, ReactNode>> = {
  good: <circle cx="8" cy="8" r="6" fill="currentColor" />,
  busy: <rect x="2.5" y="2.5" width="11" height="11" rx="1.5" fill="currentColor" />,
  ringing: <path d="M8 1 15 8 8 15 1 8Z" fill="currentColor" />,
  warning: <path d="M8 1.5 15 14H1Z" fill="currentColor" />,
  bad: <path d="m3 3 10 10M13 3 3 13" fill="none" stroke="currentColor" strokeWidth="3" />,
  off: <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="2" />,
};

export function State({ kind, children }: { readonly kind: Kind; readonly children: ReactNode }) {
  return (
    <span className={`state ${kind}`}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        {SHAPES[kind]}
      </svg>
      {children}
    </span>
  );
}

/** A word in a box: a class, a role, a count. */
export function Badge({ children }: { readonly children: ReactNode }) {
  return <span className="badge">{children}</span>;
}
