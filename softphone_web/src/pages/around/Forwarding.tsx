/**
 * Where somebody's calls go: do not disturb, and the four kinds of forward, each for good or for a while.
 *
 * What the plan says is told beside what was set by hand, with who set it: so that one sees what is a limit of the
 * town's, what a supervisor did, and what is one's own.
 */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { State } from "../../components/State";
import { around } from "../../language/around";
import { moment, spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { LENGTHS, type Length, endOf } from "./lengths";

const KINDS = ["always", "busy", "no_answer", "unreachable"] as const;
type When = (typeof KINDS)[number];

interface SetBy {
  readonly by: string;
  readonly set_at: number;
}
interface Forward {
  readonly when: When;
  readonly to: string;
  readonly seconds: number;
  readonly callers: readonly string[];
  readonly hours: readonly string[];
  readonly until_at: number;
  readonly set: SetBy;
}
interface Settings {
  readonly forwards: readonly Forward[];
  readonly planned: Readonly<Record<When, string>> & { readonly no_answer_seconds: number };
  readonly do_not_disturb: (SetBy & { readonly until_at: number }) | null;
}

const EVENTS = ["SettingsChanged"];

export function Forwarding({ extension, title }: { readonly extension: string; readonly title: string }) {
  const words = useTexts(around);
  const path = `/people/${extension}/settings`;
  const kept = useResource<Settings>(path, { events: EVENTS });
  const [changing, setChanging] = useState<When>();
  return (
    <Section title={title}>
      <Show resource={kept}>
        {(settings) => (
          <div className="stacked">
            <Quiet extension={extension} settings={settings} onChange={kept.reload} />
            <h3>{words.forwards}</h3>
            <ul className="forwards" aria-label={words.forwards}>
              {KINDS.map((when) => (
                <li key={when}>
                  <Line
                    path={path}
                    when={when}
                    settings={settings}
                    onChange={kept.reload}
                    isChanging={changing === when}
                    onChanging={(isChanging) => setChanging(isChanging ? when : undefined)}
                  />
                </li>
              ))}
            </ul>
          </div>
        )}
      </Show>
    </Section>
  );
}

/** Whether the telephones ring. */
function Quiet({
  extension,
  settings,
  onChange,
}: {
  readonly extension: string;
  readonly settings: Settings;
  readonly onChange: () => void;
}) {
  const words = useTexts(around);
  const session = useSession();
  const action = useAction();
  const [long, setLong] = useState<Length>("for_ever");
  const quiet = settings.do_not_disturb;
  const isForwarded = settings.forwards.some((one) => one.when === "always" && one.to !== "" && isForAll(one));
  const turn = (on: boolean) => {
    const path = `/people/${extension}/settings/do-not-disturb`;
    const until = on ? endOf(long, new Date()) : 0;
    void action.run(() => api.put(path, { on, until_at: until })).then((isDone) => isDone && onChange());
  };
  const isOwn = session.extension === extension;
  return (
    <>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="quiet">
        <span role="status">
          {quiet !== null ? (
            <State kind="bad">
              {isOwn ? words.quiet_own : words.quiet} <Until at={quiet.until_at} />
            </State>
          ) : (
            !isForwarded && <State kind="good">{words.rings}</State>
          )}
        </span>
        {quiet !== null && quiet.by !== extension && <By set={quiet} />}
        {quiet === null && <HowLong value={long} onChange={setLong} />}
        <Button isBusy={action.isBusy} onPress={() => turn(quiet === null)}>
          {quiet === null ? words.quiet_on : words.quiet_off}
        </Button>
      </div>
    </>
  );
}

/** One kind of forward: where it leads, why, and how to change that. */
function Line({
  path,
  when,
  settings,
  onChange,
  isChanging,
  onChanging,
}: {
  readonly path: string;
  readonly when: When;
  readonly settings: Settings;
  readonly onChange: () => void;
  readonly isChanging: boolean;
  readonly onChanging: (isChanging: boolean) => void;
}) {
  const words = useTexts(around);
  const action = useAction();
  const [long, setLong] = useState<Length>("for_ever");
  const all = settings.forwards.filter((one) => one.when === when);
  const own = all.find(isForAll);
  const planned = settings.planned[when];
  const isPartial = all.some((one) => !isForAll(one));
  const to = own?.to ?? planned;
  const forward = async (answers: Answers) => {
    const wanted = {
      to: (answers["to"] ?? "").replace(/[ .]/g, ""),
      seconds: when === "no_answer" ? Number(answers["seconds"]) || 0 : 0,
      until_at: endOf(long, new Date()),
    };
    await api.put(`${path}/forwards/${when}`, wanted);
    notify(words.saved);
    onChanging(false);
    onChange();
  };
  const run = (work: () => Promise<unknown>) => void action.run(work).then((isDone) => isDone && onChange());
  return (
    <>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="forward">
        <span className="forward-when">{words[when]}</span>
        <span className="forward-where">
          <Where when={when} to={to} seconds={own?.seconds ?? settings.planned.no_answer_seconds} />
          {own !== undefined ? (
            <span className="muted">
              {own.to === "" && ` (${words.cancelled})`} <Until at={own.until_at} /> <By set={own.set} />
            </span>
          ) : (
            planned !== "" && <span className="muted"> {words.as_planned}</span>
          )}
          {isPartial && <span className="muted"> {words.only_some}</span>}
        </span>
        <span className="found-actions">
          <Button
            isPressed={isChanging}
            label={to === "" ? words.set_when(words[when]) : words.change_when(words[when])}
            onPress={() => onChanging(!isChanging)}
          >
            {to === "" ? words.set : words.change}
          </Button>
          {(to !== "" || isPartial) && (
            <Button
              isBusy={action.isBusy}
              label={words.stop_when(words[when])}
              onPress={() => run(() => (planned === "" || isPartial ? api.delete(`${path}/forwards/${when}`) : api.put(`${path}/forwards/${when}`, { to: "" })))}
            >
              {words.stop}
            </Button>
          )}
          {own !== undefined && planned !== "" && (
            <Button
              isBusy={action.isBusy}
              label={words.planned_again_when(words[when])}
              onPress={() => run(() => api.delete(`${path}/forwards/${when}`))}
            >
              {words.planned_again}
            </Button>
          )}
        </span>
      </div>
      {isChanging && (
        <Form submit={words.save} onSubmit={forward} onCancel={() => onChanging(false)} isAlwaysFree>
          <div className="forward-form">
            <Field name="to" type="tel" label={words.number} hint={words.number_hint} defaultValue={own?.to ?? ""} isRequired />
            {when === "no_answer" && (
              <Field
                name="seconds"
                type="number"
                label={words.seconds}
                defaultValue={String(own?.seconds || settings.planned.no_answer_seconds)}
              />
            )}
            <HowLong value={long} onChange={setLong} />
          </div>
        </Form>
      )}
    </>
  );
}

function Where({ when, to, seconds }: { readonly when: When; readonly to: string; readonly seconds: number }) {
  const words = useTexts(around);
  if (to === "") return <State kind="off">{words.nowhere}</State>;
  const number = spokenNumber(to);
  return (
    <State kind="warning">{when === "no_answer" && seconds > 0 ? words.to_after(number, seconds) : words.to(number)}</State>
  );
}

function HowLong({ value, onChange }: { readonly value: Length; readonly onChange: (value: Length) => void }) {
  const words = useTexts(around);
  return (
    <Select
      name="how_long"
      label={words.how_long}
      value={value}
      onChange={(chosen) => onChange(chosen as Length)}
      options={LENGTHS.map((length) => ({ value: length, label: words[length] }))}
    />
  );
}

function Until({ at }: { readonly at: number }) {
  const words = useTexts(around);
  return at === 0 ? null : <>{words.until(moment(at))}</>;
}

function By({ set }: { readonly set: SetBy }) {
  const words = useTexts(around);
  return <span className="muted">{words.set_by(set.by, moment(set.set_at))}</span>;
}

/** Whether a forward is for all callers at any hour. */
function isForAll(forward: Forward): boolean {
  return forward.callers.length === 0 && forward.hours.length === 0;
}
