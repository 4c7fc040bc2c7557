/** A call that somebody answered by its notification: taken as soon as it rings here. */
import { telephoneNow, watchTelephone } from "../telephone/store";
import { telephone } from "../telephone/telephone";

const PATIENCE_MS = 45_000;

let forget: () => void = () => undefined;

/** Answer the call with this id on the node, once it rings here; number: of who calls, where the id isn't known yet. */
export function answerWhenItRings(call: string, number: string): void {
  forget();
  const look = () => {
    const ringing = telephoneNow().calls.filter((one) => one.state === "ringing");
    const found =
      ringing.find((one) => one.nodeCall === call) ??
      ringing.find((one) => one.nodeCall === "" && one.number === number);
    if (found === undefined) return;
    forget();
    telephone.answer(found.id);
  };
  const unwatch = watchTelephone(look);
  const timer = setTimeout(() => forget(), PATIENCE_MS);
  forget = () => {
    unwatch();
    clearTimeout(timer);
    forget = () => undefined;
  };
  look();
}
