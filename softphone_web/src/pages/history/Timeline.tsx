/** Who heard whom in a call, from when to when: a lane for each party, and the same in sentences. */
import type { CSSProperties } from "react";

import { history } from "../../language/history";
import { length, second, spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import type { Interval, WholeCall } from "./shapes";

const LANES = new Set(["talk", "held", "transfer", "announcement"]);

export function Timeline({ call }: { readonly call: WholeCall }) {
  const words = useTexts(history);
  const names = Object.fromEntries(call.legs.map((leg) => [leg.leg, leg.name || spokenNumber(leg.number) || leg.device]));
  const sentence = useSentence();
  if (call.intervals.length === 0) return <p className="muted">{words.timeline_none}</p>;
  const begin = Math.min(call.started_at, ...call.legs.map((leg) => leg.started_at));
  const end = Math.max(call.ended_at, ...call.intervals.map((one) => one.ended_at ?? call.ended_at));
  const share = (at: number) => ((at - begin) / Math.max(end - begin, 0.001)) * 100;
  const bar = (from: number, to: number) =>
    ({ insetInlineStart: `${share(from)}%`, inlineSize: `${Math.max(share(to) - share(from), 0.5)}%` }) as CSSProperties;
  return (
    <>
      <div className="timeline" aria-hidden="true">
        {call.legs.map((leg) => (
          <div key={leg.leg} className="timeline-lane">
            <span className="timeline-name">{names[leg.leg]}</span>
            <span className="timeline-bars">
              <span className="timeline-there" style={bar(leg.started_at, leg.ended_at ?? end)} />
              {call.intervals
                .filter((one) => one.legs.includes(leg.leg))
                .map((one, index) => (
                  <span
                    key={index}
                    className={`timeline-bar ${LANES.has(one.kind) ? one.kind : "service"}`}
                    style={bar(one.started_at, one.ended_at ?? end)}
                  />
                ))}
            </span>
          </div>
        ))}
        <div className="timeline-scale">
          <span>{second(begin)}</span>
          <span>{second(end)}</span>
        </div>
      </div>
      <ol className="timeline-list">
        {call.intervals.map((one, index) => (
          <li key={index}>
            <span className={`timeline-key ${LANES.has(one.kind) ? one.kind : "service"}`} aria-hidden="true" />
            <span className="muted">
              {words.span(
                second(one.started_at),
                second(one.ended_at ?? end),
                length((one.ended_at ?? end) - one.started_at),
              )}
            </span>{" "}
            {sentence(one, names)}
          </li>
        ))}
      </ol>
    </>
  );
}

function useSentence(): (one: Interval, names: Readonly<Record<string, string>>) => string {
  const words = useTexts(history);
  return (one, names) => {
    const who = one.legs.map((leg) => names[leg] ?? leg).join(words.and);
    switch (one.kind) {
      case "talk":
        return words.talk(who);
      case "held":
        return words.heard_held(who);
      case "transfer":
        return words.being_transferred(who);
      case "announcement":
        return words.announcement(who);
      case "code":
        return words.code(who, one.where);
      default: {
        const known = (words as Readonly<Record<string, unknown>>)[`kind_${one.kind}`];
        return words.in_service(who, typeof known === "string" ? known : one.kind, one.where);
      }
    }
  };
}
