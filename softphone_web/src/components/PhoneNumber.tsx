/** A telephone number, that whoever is signed in can call if they have a number: from this page, or from their telephone. */
import { spokenNumber } from "../language/moments";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { asProblem } from "../server/resource";
import { useSession } from "../server/session";
import { telephone } from "../telephone/telephone";
import { useSaying } from "./Problem";
import { notify } from "./Notices";

export function PhoneNumber({ number, name = "" }: { readonly number: string; readonly name?: string }) {
  const words = useTexts(shell);
  const say = useSaying();
  const { extension } = useSession();
  const shown = spokenNumber(number);
  if (extension === "" || extension === number || !/^[+*#0-9]+$/.test(number)) {
    return <span className="number">{shown}</span>;
  }
  const call = () => {
    telephone.dial(number).then(
      (by) => {
        if (by === "rings") notify(words.calling(name === "" ? shown : name));
      },
      (failure: unknown) => notify(say(asProblem(failure)), "bad"),
    );
  };
  return (
    <button type="button" className="number call" title={words.call(shown)} onClick={call}>
      <svg viewBox="0 0 16 16" width="12" height="12" aria-hidden="true">
        <path
          fill="currentColor"
          d="M3.6 1.2 5.7 1l1.6 3.7-1.6 1.5a9 9 0 0 0 4.1 4.1l1.5-1.6L15 10.300l-.2 2.1c-.1 1.300-1.200 2.400-2.600 2.400C6.200 14.600 1.400 9.800 1.200 3.800c0-1.400 1.100-2.500 2.400-2.600z"
        />
      </svg>
      {shown}
    </button>
  );
}
