/** A secret, to be read and copied: a password, a token, a link. isOnce: whether nobody can ask for it again. */
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { Button } from "./Button";
import { notify } from "./Notices";

export function Secret({ label, value, isOnce = true }: { readonly label: string; readonly value: string; readonly isOnce?: boolean }) {
  const words = useTexts(shell);
  const copy = () => {
    // Over plain HTTP on another machine there is no clipboard: the words are there to be selected.
    void navigator.clipboard.writeText(value).then(() => notify(words.copied));
  };
  return (
    <div className="secret">
      <p className="muted">{label}</p>
      <p className="secret-line">
        <code>{value}</code>
        {"clipboard" in navigator && (
          <Button label={`${words.copy} : ${label}`} onPress={copy}>
            {words.copy}
          </Button>
        )}
      </p>
      {isOnce && <p className="hint">{words.shown_once}</p>}
    </div>
  );
}
