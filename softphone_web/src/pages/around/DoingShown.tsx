/** What a colleague is doing: a shape and a word, so that no colour is needed. */
import { type Kind, State } from "../../components/State";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import type { Colleague, Doing } from "./presence";

const SHAPES: Readonly<Record<Doing, Kind>> = {
  free: "good",
  in_call: "busy",
  ringing: "ringing",
  do_not_disturb: "bad",
  away: "warning",
  not_there: "off",
};

export function DoingShown({ colleague }: { readonly colleague: Colleague | undefined }) {
  const words = useTexts(around);
  if (colleague === undefined) return null;
  return (
    <State kind={SHAPES[colleague.state]}>
      {words[colleague.state]}
      {colleague.is_forwarded && `, ${words.forwarded}`}
    </State>
  );
}
