/** A sentence that the program says of a plan, in the language spoken. */
import { said as spoken } from "../../language/said";
import { inFrench } from "./french";

export function said(text: string): string {
  return spoken(text, inFrench);
}
