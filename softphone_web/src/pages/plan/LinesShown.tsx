/** Two texts line by line, as printed: a sign before each line that was taken out or came in. */
import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import { comparedLines } from "./lines";

const SIGNS = { same: " ", removed: "−", added: "+" } as const;

export function LinesShown({ before, after }: { readonly before: string; readonly after: string }) {
  const words = useTexts(plan);
  const pieces = comparedLines(before, after);
  if (pieces === undefined) return <p>{words.lines_too_long}</p>;
  if (pieces.length === 0) return <p>{words.lines_same}</p>;
  return (
    // What is wider than the dialog is reached by the arrow keys.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="plan-lines" tabIndex={0} role="group" aria-label={words.in_lines}>
      {pieces.map((piece, index) => (
        <div key={index} className="plan-piece">
          {piece.map((line) => (
            <div key={`${line.kind}${line.number}`} className={`plan-line ${line.kind}`}>
              <span className="plan-sign" aria-hidden="true">
                {SIGNS[line.kind]}
              </span>
              <span className="plan-number">{line.number}</span>
              {line.kind !== "same" && (
                <span className="unseen">{line.kind === "added" ? words.added : words.removed}</span>
              )}
              <code>{line.text === "" ? " " : line.text}</code>
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}
