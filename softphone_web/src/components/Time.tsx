/** Moments and lengths. `at` is in Unix seconds. */
import { useEffect, useState } from "react";

import { length, moment, momentInFull } from "../language/moments";
import { useLanguage } from "../language/texts";

/** A moment, short; in full when one points at it. */
export function Time({ at }: { readonly at: number }) {
  useLanguage();
  return (
    <time dateTime={new Date(at * 1000).toISOString()} title={momentInFull(at)}>
      {moment(at)}
    </time>
  );
}

/** A length of time: 1:02:03. */
export function Duration({ seconds }: { readonly seconds: number }) {
  return <span className="number">{length(seconds)}</span>;
}

/** How long since a moment, counted on. */
export function Since({ at }: { readonly at: number }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, []);
  return <Duration seconds={now - at} />;
}
