/** How a line is: a shape, a word. */
import { type Kind, State } from "../../components/State";
import { trunks } from "../../language/trunks";
import { useTexts } from "../../language/texts";
import type { Trunk } from "./shapes";

const KINDS: Readonly<Record<Trunk["state"], Kind>> = {
  up: "good",
  unknown: "off",
  unregistered: "warning",
  down: "bad",
  refusing: "warning",
  "": "off",
};

export function TrunkState({ trunk }: { readonly trunk: Trunk }) {
  return <State kind={KINDS[trunk.state]}>{useStateWord()(trunk)}</State>;
}

export function useStateWord(): (trunk: Trunk) => string {
  const words = useTexts(trunks);
  return (trunk) => words[trunk.state === "" ? "nobody" : trunk.state];
}
