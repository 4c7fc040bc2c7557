/** Calls placed from beside the telephone: by this page where it is a telephone, else by the person's others. */
import { notify } from "../../components/Notices";
import { useSaying } from "../../components/Problem";
import { spokenNumber } from "../../language/moments";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { asProblem } from "../../server/resource";
import { living, useTelephone } from "../../telephone/store";
import { telephone } from "../../telephone/telephone";

/** What calls a number; who: whom one calls, for what is said of it. */
export function useDialling(): (number: string, who?: string) => void {
  const words = useTexts(shell);
  const say = useSaying();
  return (number, who = "") => {
    telephone.dial(number).then(
      (by) => {
        if (by === "rings") notify(words.calling(who === "" ? spokenNumber(number) : who));
      },
      (failure: unknown) => notify(say(asProblem(failure)), "bad"),
    );
  };
}

/** The call that could be sent on from here: the one that talks, or that is held; undefined for none. */
export function useTransferable(): { readonly id: string; readonly number: string } | undefined {
  const calls = living(useTelephone().calls).filter((call) => call.state === "talking");
  return calls.find((call) => !call.isHeld) ?? calls[0];
}
