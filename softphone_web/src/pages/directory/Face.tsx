/** Somebody's photo, or their initials; a shape for what is no person. Beside a name, it says nothing by itself. */
import { address } from "../../server/api";
import type { Entry } from "./shapes";

export function Face({ entry, isLarge = false }: { readonly entry: Entry; readonly isLarge?: boolean }) {
  const size = isLarge ? "face large" : "face";
  if (entry.photo_at > 0) {
    const source = address(`/people/${entry.number}/photo`, { v: entry.photo_at });
    return <img className={size} src={source} alt="" loading="lazy" width={32} height={32} />;
  }
  const mark = entry.kind === "person" ? initials(entry.name) : entry.kind === "service" ? "☎" : "⁂";
  return (
    <span className={size} data-kind={entry.kind} aria-hidden="true">
      {mark}
    </span>
  );
}

function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => /^./u.exec(word ?? "")?.[0] ?? "").join("").toUpperCase();
}
