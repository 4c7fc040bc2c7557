/** A sentence that the program says of a plan, in the reader's language where that is known, else as it is. */
import { joined, useLanguage } from "../../language/texts";
import { inFrench } from "./french";

export function Said({ text }: { readonly text: string }) {
  const spoken = useLanguage();
  if (spoken === "en") return <span>{text}</span>;
  const french = inFrench(text);
  return french === undefined ? <span lang="en">{text}</span> : <span>{joined(french)}</span>;
}
