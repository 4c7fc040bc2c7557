/** A sentence that the program says, in the reader's language where that is known, else as it is. */
import type { InFrench } from "../language/patterns";
import { joined, useLanguage } from "../language/texts";

export function Said({ text, inFrench }: { readonly text: string; readonly inFrench: InFrench }) {
  const spoken = useLanguage();
  if (spoken === "en") return <span>{text}</span>;
  const french = inFrench(text);
  return french === undefined ? <span lang="en">{text}</span> : <span>{joined(french)}</span>;
}
