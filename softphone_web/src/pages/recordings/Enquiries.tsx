/** What else who keeps house asks: what goes next, what there is about somebody's number, whether a receipt is true. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { Field, TextArea } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { Empty } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Secret } from "../../components/Secret";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { amount, day, spokenNumber } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { type Recording, dayOf, instant } from "./shapes";
import { ClockDoubt } from "./words";

const WEEK = 7 * 86_400;

interface Foreseen {
  readonly going: readonly Recording[];
  readonly clock: string;
}

interface About {
  readonly number: string;
  readonly items: readonly Recording[];
  readonly stays: Readonly<Record<string, string>>;
}

interface Erased {
  readonly erased: readonly string[];
  readonly stays: Readonly<Record<string, string>>;
  readonly calls_erased: number;
  readonly receipt: string;
}

interface Receipt {
  readonly given_at: string;
  readonly by: string;
  readonly erased: readonly string[];
}

/** What a purge takes until a day. */
export function Forecast() {
  const words = useTexts(recordings);
  const [until, setUntil] = useState(() => dayOf(Date.now() / 1000 + WEEK));
  const at = instant(until);
  const seen = useResource<Foreseen>(at === undefined ? undefined : `/recordings/keeping/forecast?until_at=${at}`);
  return (
    <>
      <div className="filters">
        <Field name="until" label={words.forecast_until} type="date" value={until} onChange={setUntil} />
      </div>
      <Show resource={seen}>
        {(told) => (
          <>
            {told.clock !== "" && <ClockDoubt why={told.clock} />}
            <Named recordings={told.going} label={words.forecast} empty={words.forecast_none} />
          </>
        )}
      </Show>
    </>
  );
}

/** Which recordings there are about a number. */
export function AboutNumber() {
  const words = useTexts(recordings);
  const [told, setTold] = useState<About & { readonly reason: string }>();
  const [isErasing, setErasing] = useState(false);
  const [erased, setErased] = useState<Erased>();
  const mayErase = useMay("recordings.erase");
  const look = async (answers: Answers) => {
    const reason = answers.reason ?? "";
    const found = await api.post<About>("/recordings/keeping/about", { reason, number: answers.number });
    setErased(undefined);
    setTold({ ...found, reason });
  };
  const erase = async (about: { readonly number: string; readonly reason: string }) => {
    const body = { reason: about.reason, number: about.number };
    setErased(await api.post<Erased>("/recordings/keeping/erasure", body));
    setTold(undefined);
  };
  return (
    <>
      <Form submit={words.look_up} onSubmit={look} isAlwaysFree>
        <p className="muted">{words.about_hint}</p>
        <Field name="number" label={words.number} type="tel" isRequired maxLength={40} />
        <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide />
      </Form>
      {told !== undefined && (
        <div role="status">
          <Named
            recordings={told.items}
            label={words.about_number}
            empty={words.about_none}
            note={(one) => (one.recording in told.stays ? <State kind="warning">{words.stays}</State> : "")}
          />
          {mayErase && (
            <p className="actions erasing">
              <Button kind="danger" onPress={() => setErasing(true)}>
                {words.erase}
              </Button>
            </p>
          )}
        </div>
      )}
      {told !== undefined && isErasing && (
        <Confirm
          title={words.erase_title(spokenNumber(told.number))}
          confirm={words.erase_go}
          isDanger
          onConfirm={() => erase(told)}
          onClose={() => setErasing(false)}
        >
          <p>{words.erase_body}</p>
        </Confirm>
      )}
      {erased !== undefined && <ErasedShown done={erased} />}
    </>
  );
}

function ErasedShown({ done }: { readonly done: Erased }) {
  const words = useTexts(recordings);
  const staying = Object.keys(done.stays).length;
  return (
    <div role="status">
      <h3>{words.erased_title}</h3>
      <p>
        <State kind="good">{words.erased_counts(amount(done.erased.length), amount(done.calls_erased))}</State>
      </p>
      {staying > 0 && (
        <p>
          <State kind="warning">{words.erased_stays(amount(staying))}</State>
        </p>
      )}
      <p className="warning-box">{words.receipt_keep}</p>
      <Secret label={words.receipt_given} value={done.receipt} />
    </div>
  );
}

function Named({
  recordings: found,
  label,
  empty,
  note,
}: {
  readonly recordings: readonly Recording[];
  readonly label: string;
  readonly empty: string;
  readonly note?: (one: Recording) => React.ReactNode;
}) {
  const words = useTexts(recordings);
  if (found.length === 0) return <Empty>{empty}</Empty>;
  return (
    <Table
      label={label}
      rows={found}
      rowKey={(one) => one.recording}
      empty={empty}
      columns={[
        {
          key: "recording",
          title: words.entry_recording,
          isMain: true,
          cell: (one) => <Link to={`/recording-journal/${one.recording}`}>{one.recording}</Link>,
          text: (one) => one.recording,
        },
        { key: "at", title: words.when, cell: (one) => <Time at={one.begun_at} />, value: (one) => one.begun_at },
        { key: "line", title: words.line, cell: (one) => one.line, text: (one) => one.line },
        { key: "policy", title: words.policy, cell: (one) => one.policy, text: (one) => one.policy },
        {
          key: "goes",
          title: words.goes_at,
          cell: (one) => (one.keep_until_at === null ? "–" : day(one.keep_until_at)),
          value: (one) => one.keep_until_at ?? 0,
        },
        ...(note === undefined ? [] : [{ key: "note", title: words.state, cell: note }]),
      ]}
    />
  );
}

/** Whether a receipt of an erasure is this node's. */
export function ReceiptCheck() {
  const words = useTexts(recordings);
  const [told, setTold] = useState<Receipt>();
  const check = async (answers: Answers) => {
    setTold(undefined);
    setTold(await api.post<Receipt>("/recordings/keeping/receipt", { receipt: answers.receipt?.trim() }));
  };
  return (
    <>
      <Form submit={words.check} onSubmit={check} isAlwaysFree>
        <TextArea name="receipt" label={words.receipt_text} isRequired rows={6} maxLength={100_000} />
      </Form>
      <div role="status">
        {told !== undefined && (
          <p>
            <State kind="good">{words.receipt_good(told.given_at, told.by)}</State>{" "}
            {words.receipt_erased(amount(told.erased.length))}
          </p>
        )}
      </div>
    </>
  );
}
