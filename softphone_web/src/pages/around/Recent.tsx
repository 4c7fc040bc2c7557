/** One's calls of before: those missed first and counted, each to be called back, each with a note. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Link } from "../../components/Link";
import { Section } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { type Kind, State } from "../../components/State";
import { Time } from "../../components/Time";
import { around } from "../../language/around";
import { spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { type List, api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import type { PastCall } from "../history/shapes";
import { NoteField } from "./NoteField";

const SHOWN = 12;
const EVENTS = ["CallEnded"];

interface Missed {
  readonly count: number;
  readonly items: readonly PastCall[];
}

export function Recent() {
  const words = useTexts(around);
  const missed = useResource<Missed>("/history/missed", { events: EVENTS });
  const calls = useResource<List<PastCall>>(`/history?limit=${SHOWN}`, { events: EVENTS });
  const action = useAction();
  const unseen = missed.data?.items ?? [];
  const reload = () => {
    missed.reload();
    calls.reload();
  };
  const see = () => {
    const last = Math.max(...unseen.map((call) => call.started_at));
    // Its start to the millisecond is the call's own: what comes after it is still to be seen.
    void action.run(() => api.put("/history/missed", { until_at: last + 0.001 })).then(reload);
  };
  const others = (calls.data?.items ?? []).filter((call) => unseen.every((one) => one.id !== call.id));
  return (
    <Section title={words.recent} actions={<Link to="/history">{words.all_calls}</Link>}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div role="status">
        {unseen.length > 0 && <h3 className="missed-count">{words.missed(unseen.length)}</h3>}
      </div>
      {unseen.length > 0 && (
        <>
          <ul className="recent" aria-label={words.missed(unseen.length)}>
            {unseen.map((call) => (
              <Line key={call.id} call={call} onNoted={reload} isMissed />
            ))}
          </ul>
          <div className="actions">
            <Button isBusy={action.isBusy} onPress={see}>
              {words.seen}
            </Button>
          </div>
        </>
      )}
      <Show resource={calls}>
        {(known) =>
          known.items.length === 0 ? (
            <p className="muted">{words.no_recent}</p>
          ) : (
            <ul className="recent" aria-label={words.recent}>
              {others.map((call) => (
                <Line key={call.id} call={call} onNoted={reload} />
              ))}
            </ul>
          )
        }
      </Show>
    </Section>
  );
}

function Line({
  call,
  onNoted,
  isMissed = false,
}: {
  readonly call: PastCall;
  readonly onNoted: () => void;
  readonly isMissed?: boolean;
}) {
  const words = useTexts(around);
  const [isNoting, setNoting] = useState(false);
  const isOut = call.way === "out";
  const number = isOut ? call.to || call.dialled : call.from_number;
  const name = isOut ? call.to_name : call.from_name;
  const who = name === "" || name === number ? spokenNumber(number) || words.hidden : name;
  const [kind, word] = useWord(call, isMissed);
  return (
    <li>
      <div className="recent-line">
        <span className="recent-who">
          <Link to={`/history/${call.id}`}>{who}</Link>
          <span className="recent-how">
            <State kind={kind}>{word},</State> <Time at={call.started_at} />
          </span>
        </span>
        <span className="found-actions">
          {number !== "" && <PhoneNumber number={number} name={name} />}
          <Button kind="quiet" isPressed={isNoting} label={words.note_of(who)} onPress={() => setNoting(!isNoting)}>
            {words.note}
          </Button>
        </span>
      </div>
      {call.note !== "" && !isNoting && <p className="recent-note">{call.note}</p>}
      {isNoting && (
        <NoteField
          call={call.id}
          onSaved={() => {
            setNoting(false);
            onNoted();
          }}
        />
      )}
    </li>
  );
}

function useWord(call: PastCall, isMissed: boolean): readonly [Kind, string] {
  const words = useTexts(around);
  if (call.outcome === "message") return ["warning", words.left_message];
  if (call.way === "in") {
    if (call.outcome === "elsewhere") return ["off", words.taken_elsewhere];
    if (isMissed || call.outcome !== "answered") return ["bad", words.missed_one];
    return ["good", words.called_you];
  }
  return ["off", words.you_called];
}
