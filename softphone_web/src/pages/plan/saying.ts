/** A sentence that the program says of a plan, in the language spoken; as it is where its French isn't known. */
import { joined, language } from "../../language/texts";
import { inFrench } from "./french";

export function said(text: string): string {
  const french = language() === "fr" ? inFrench(text) : undefined;
  return french === undefined ? text : joined(french);
}
