/** A sentence that the program says of a plan, in the reader's language. */
import { Said as Sentence } from "../../components/Said";
import { inFrench } from "./french";

export function Said({ text }: { readonly text: string }) {
  return <Sentence text={text} inFrench={inFrench} />;
}
