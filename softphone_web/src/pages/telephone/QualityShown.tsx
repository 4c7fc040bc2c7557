/** How a call sounds, in words; the figures stand behind them. */
import { State } from "../../components/State";
import { telephone as words_of } from "../../language/telephone";
import { useTexts } from "../../language/texts";
import type { PhoneCall } from "../../telephone/shapes";

export function QualityShown({ call }: { readonly call: PhoneCall }) {
  const words = useTexts(words_of);
  const { quality } = call;
  if (quality === undefined || call.state !== "talking" || call.isHeld) return null;
  const { troubles } = quality;
  const round = (value: number) => value.toFixed(0);
  return (
    <p className="quality">
      {troubles.length === 0 && (
        <State kind="good">{words.good}</State>
      )}
      {troubles.map((trouble) => (
        <State key={trouble} kind="warning">
          {words[trouble]}
        </State>
      ))}
      <span className="hint">
        {words.figures(
          round(quality.lossHere),
          round(quality.lossThere),
          round(quality.jitterMs),
          round(quality.roundTripMs),
        )}
        {quality.isRelayed && ` ; ${words.relayed}`}
      </span>
    </p>
  );
}
