/** A past call: what happened, in a sentence; its messages, its sound, and why it went where it went. */
import { type ReactNode, useState } from "react";

import { Button } from "../../components/Button";
import { Facts } from "../../components/Facts";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { history } from "../../language/history";
import { amount, second } from "../../language/moments";
import { useTexts } from "../../language/texts";
import type { PageProps } from "../../pages";
import { type List, api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { NoteField } from "../around/NoteField";
import { Said } from "../plan/Said";
import "./history.css";
import { Ladder } from "./Ladder";
import type { Leg, PastCall, WholeCall, Why } from "./shapes";
import { Timeline } from "./Timeline";
import { OutcomeShown, Party, QualityShown, useParties, useSummary } from "./words";

export default function CallPage({ params }: PageProps) {
  const words = useTexts(history);
  const id = params["call"] ?? "";
  const call = useResource<WholeCall>(`/history/${id}`);
  const parties = useParties();
  const title = call.data === undefined ? words.facts : words.call_title(parties(call.data).who, parties(call.data).whom);
  return (
    <Page title={title}>
      <p>
        <Link to="/history">{words.back}</Link>
      </p>
      <Show resource={call}>{(shown) => <Whole call={shown} />}</Show>
    </Page>
  );
}

function Whole({ call }: { readonly call: WholeCall }) {
  const words = useTexts(history);
  const { rights } = useSession();
  const summary = useSummary();
  const isReader = rights.includes("history.read");
  const recorded: readonly (readonly [string, ReactNode])[] = call.is_recorded ? [[words.recorded, words.yes]] : [];
  return (
    <>
      <p className="history-summary">{summary(call)}</p>
      <Section title={words.facts}>
        <Facts
          facts={[
            [words.result, <OutcomeShown key="outcome" outcome={call.outcome} />],
            [words.from, <Party key="from" number={call.from_number} name={call.from_name} />],
            [words.dialled, <Party key="dialled" number={call.dialled} name="" />],
            [words.to, call.to === "" ? "–" : <Party key="to" number={call.to} name={call.to_name} />],
            [words.began, <Moment key="began" at={call.started_at} />],
            [words.picked_up, call.answered_at === null ? "–" : <Moment key="answered" at={call.answered_at} />],
            [words.ended, <Moment key="ended" at={call.ended_at} />],
            [words.ended_by, <Cause key="cause" cause={call.cause} />],
            ...recorded,
            [words.id, <code key="id">{call.id}</code>],
          ]}
        />
      </Section>
      <Section title={words.note}>
        <NoteField call={call.id} />
        {isReader && <OthersNotes call={call.id} />}
      </Section>
      {call.is_recorded && rights.includes("recordings.listen") && (
        <Section title={words.recordings}>
          <Recordings call={call.id} />
        </Section>
      )}
      <Section title={words.timeline}>
        <Timeline call={call} />
      </Section>
      <Section title={words.parties}>
        <Parties legs={call.legs} />
      </Section>
      <Section title={words.ladder}>
        {call.has_messages ? <Ladder call={call.id} /> : <p className="muted">{words.ladder_gone}</p>}
      </Section>
      {isReader && (
        <Section title={words.why}>
          <WhyShown call={call.id} mayReadPlan={rights.includes("plan.read")} />
        </Section>
      )}
      {call.parents.length + call.children.length > 0 && (
        <Section title={words.chain}>
          <Chain title={words.came_from} calls={call.parents} />
          <Chain title={words.led_to} calls={call.children} />
        </Section>
      )}
    </>
  );
}

/** What others noted of a call, for who may read everybody's calls: that is journalled, so it takes a button. */
function OthersNotes({ call }: { readonly call: string }) {
  const words = useTexts(history);
  const [isAsked, setAsked] = useState(false);
  const notes = useResource<List<{ account: string; text: string; written_at: number }>>(
    isAsked ? `/history/${call}/notes` : undefined,
  );
  if (!isAsked) return <Button onPress={() => setAsked(true)}>{words.others_notes}</Button>;
  return (
    <Show resource={notes}>
      {(known) =>
        known.items.length === 0 ? (
          <p className="muted">{words.no_notes}</p>
        ) : (
          <ul className="plain-list">
            {known.items.map((one) => (
              <li key={one.account}>
                <span className="history-note">{one.text}</span>{" "}
                <span className="muted">
                  {one.account}, <Time at={one.written_at} />
                </span>
              </li>
            ))}
          </ul>
        )
      }
    </Show>
  );
}

/** The recordings of a call, for who may hear them: who looks says why, which is journalled. */
function Recordings({ call }: { readonly call: string }) {
  const words = useTexts(history);
  const [found, setFound] = useState<readonly { readonly recording: string; readonly begun_at: number }[]>();
  const search = async (answers: Answers) => {
    const page = await api.post<List<{ recording: string; begun_at: number }>>("/recordings/search", {
      reason: answers["reason"] ?? "",
      call,
    });
    setFound(page.items);
  };
  return (
    <>
      <Form submit={words.find_recordings} onSubmit={search} isAlwaysFree>
        <Field name="reason" label={words.reason} isRequired maxLength={200} />
      </Form>
      <div role="status" className="history-found">
        {found?.length === 0 && <p className="muted">{words.no_recordings}</p>}
        {found !== undefined && found.length > 0 && (
          <ul className="history-chain">
            {found.map((one) => (
              <li key={one.recording}>
                <Link to={`/recordings/${one.recording}`}>{one.recording}</Link> <Time at={one.begun_at} />
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}

/** The word that ended a call, as the record has it, where there is no sentence for it. */
function Cause({ cause }: { readonly cause: string }) {
  const words = useTexts(history);
  const known = (words as Readonly<Record<string, unknown>>)[`cause_${cause.replaceAll(" ", "_")}`];
  return typeof known === "string" ? known : <code lang="en">{cause}</code>;
}

function Moment({ at }: { readonly at: number }) {
  return (
    <>
      <Time at={at} /> <span className="muted number">({second(at)})</span>
    </>
  );
}

function Parties({ legs }: { readonly legs: readonly Leg[] }) {
  const words = useTexts(history);
  const reached = (leg: Leg) => {
    const known = (words as Readonly<Record<string, unknown>>)[`reached_${leg.reached}`];
    return words.by(typeof known === "string" ? known : leg.reached, leg.via);
  };
  const rounded = (value: number | null) => (value === null ? "–" : amount(Math.round(value * 10) / 10));
  const figure = (value: number | null | undefined, unit: (value: string) => string) =>
    value === null || value === undefined ? "–" : unit(rounded(value));
  return (
    <Table<Leg>
      label={words.parties}
      rows={legs}
      rowKey={(leg) => leg.leg}
      empty={words.nobody}
      hasFilter={false}
      columns={[
        {
          key: "party",
          title: words.party,
          isMain: true,
          cell: (leg) => <Party number={leg.number} name={leg.name === "" ? leg.device : leg.name} />,
        },
        { key: "reached", title: words.reached, cell: (leg) => (leg.reached === "" ? "–" : reached(leg)) },
        {
          key: "device",
          title: words.device,
          cell: (leg) => (
            <>
              {leg.device} <span className="muted">{[leg.transport, leg.address].filter(Boolean).join(" ")}</span>
            </>
          ),
        },
        { key: "codec", title: words.codec, cell: (leg) => (leg.codec === "" ? "–" : leg.codec) },
        {
          key: "quality",
          title: words.quality,
          cell: (leg) =>
            leg.quality === null ? (
              <QualityShown quality="unknown" />
            ) : (
              <>
                <QualityShown quality={leg.quality.word} />{" "}
                <span className="muted number">{words.mos(rounded(leg.quality.mos))}</span>
              </>
            ),
        },
        { key: "loss", title: words.loss, cell: (leg) => figure(leg.quality?.loss_percent, words.percent) },
        { key: "jitter", title: words.jitter, cell: (leg) => figure(leg.quality?.jitter_ms, words.milliseconds) },
        { key: "delay", title: words.delay, cell: (leg) => figure(leg.quality?.round_trip_ms, words.milliseconds) },
      ]}
    />
  );
}

function WhyShown({ call, mayReadPlan }: { readonly call: string; readonly mayReadPlan: boolean }) {
  const words = useTexts(history);
  const why = useResource<Why>(`/history/${call}/explanation`);
  return (
    <Show resource={why}>
      {(shown) =>
        shown.note !== "" ? (
          <p className="muted">
            {words.why_gone} <Said text={shown.note} />
          </p>
        ) : (
          <>
            <p className="muted">{shown.is_in_force ? words.why_lead : words.why_former}</p>
            <ol className="history-steps">
              {shown.steps.map((step, index) => (
                <li key={index}>
                  <span className="history-line">
                    {step.line === 0 ? (
                      <span className="muted">{words.built_in}</span>
                    ) : shown.is_in_force && mayReadPlan ? (
                      <Link to={`/plan?line=${step.line}`}>{words.line(step.line)}</Link>
                    ) : (
                      <span className="muted">{words.line(step.line)}</span>
                    )}
                  </span>
                  <span>
                    <strong>
                      <Said text={step.rule} />
                    </strong>{" "}
                    <Said text={step.outcome} />
                  </span>
                </li>
              ))}
            </ol>
          </>
        )
      }
    </Show>
  );
}

function Chain({ title, calls }: { readonly title: string; readonly calls: readonly PastCall[] }) {
  const summary = useSummary();
  if (calls.length === 0) return null;
  return (
    <>
      <h3>{title}</h3>
      <ul className="history-chain">
        {calls.map((call) => (
          <li key={call.id}>
            <Link to={`/history/${call.id}`}>
              <Time at={call.started_at} />
            </Link>{" "}
            {summary(call)}
          </li>
        ))}
      </ul>
    </>
  );
}
