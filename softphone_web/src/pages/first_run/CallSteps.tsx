/** A call as it happens: a row for each thing that happened, an arrow from who did it to whom. */
import { moment, second } from "../../language/moments";
import { firstRun } from "../../language/first_run";
import { useTexts } from "../../language/texts";
import type { NodeEvent } from "../../server/events";

export function CallSteps({
  steps,
  extension,
  echo,
}: {
  readonly steps: readonly NodeEvent[];
  readonly extension: string;
  readonly echo: string;
}) {
  const words = useTexts(firstRun);
  const rows = steps.flatMap((step) => {
    const told = { CallStarted: words.row_calls, CallRinging: words.row_rings, CallAnswered: words.row_answered };
    const isOurs = step.event === "CallStarted" || step.event === "LegLeft";
    const word = step.event === "LegLeft" ? words.row_left : told[step.event as keyof typeof told];
    return [{ word, isOurs, at: Date.parse(step.at) / 1000 }].filter((row) => (row.word as string | undefined) !== undefined);
  });
  return (
    <ol className="call-steps">
      <li className="call-steps-head" aria-hidden="true">
        <span />
        <span>{words.you(extension)}</span>
        <span>{echo}</span>
      </li>
      {rows.map((row, index) => (
        <li key={index} data-way={row.isOurs ? "there" : "back"}>
          <time dateTime={new Date(row.at * 1000).toISOString()} title={moment(row.at)}>
            {second(row.at)}
          </time>
          <span className="arrow">
            {row.isOurs ? extension : echo} {row.word}
          </span>
        </li>
      ))}
    </ol>
  );
}
