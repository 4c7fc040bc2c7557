/** A sentence that the program says, in the language spoken; as it is where its French isn't known. */
import type { InFrench } from "./patterns";
import { joined, language } from "./texts";

export function said(text: string, inFrench: InFrench): string {
  const french = language() === "fr" ? inFrench(text) : undefined;
  return french === undefined ? text : joined(french);
}
