/** A link to a page of ours, followed without loading the application again. */
import type { MouseEvent, ReactNode } from "react";

import { navigate } from "../shell/place";

export function Link({
  to,
  children,
  className,
  label,
  isCurrent = false,
}: {
  readonly to: string;
  readonly children: ReactNode;
  readonly className?: string;
  /** What it leads to, where its content doesn't say it all. Begins with the words shown. */
  readonly label?: string | undefined;
  readonly isCurrent?: boolean;
}) {
  const follow = (event: MouseEvent) => {
    // Another tab or window is the browser's matter.
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return (
    <a href={to} onClick={follow} className={className} aria-label={label} aria-current={isCurrent ? "page" : undefined}>
      {children}
    </a>
  );
}
