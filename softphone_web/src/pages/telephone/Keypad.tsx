/** The twelve keys of a telephone. */
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import { soundKey } from "../../telephone/tones";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const LETTERS: Readonly<Record<string, string>> = {
  "2": "abc",
  "3": "def",
  "4": "ghi",
  "5": "jkl",
  "6": "mno",
  "7": "pqrs",
  "8": "tuv",
  "9": "wxyz",
  "0": "+",
};

/** isSounding: false where what is done with the key sounds by itself. */
export function Keypad({
  onKey,
  isSounding = true,
}: {
  readonly onKey: (key: string) => void;
  readonly isSounding?: boolean;
}) {
  const words = useTexts(words_of);
  return (
    <div className="keypad" role="group" aria-label={words.keys}>
      {KEYS.map((key) => (
        <button
          key={key}
          type="button"
          className="button"
          aria-label={words.key(key)}
          onClick={() => {
            if (isSounding) soundKey(key);
            onKey(key);
          }}
        >
          <span>{key}</span>
          <small data-letters={LETTERS[key] ?? ""} />
        </button>
      ))}
    </div>
  );
}
