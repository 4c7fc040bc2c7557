/** Recordings: searched with a reason, the last call of a line at once, exports that wait for somebody's word. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Empty, Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Table } from "../../components/Table";
import { Duration, Time } from "../../components/Time";
import { momentInFull, spokenNumber } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import { type List, type ServerProblem, api } from "../../server/api";
import { asProblem, useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { Player } from "./Player";
import "./recordings.css";
import { type ExportRequest, type Listening, type Policy, type Recording, instant, remembered } from "./shapes";
import { RecordingState } from "./words";

export default function Recordings() {
  const words = useTexts(recordings);
  const policies = useResource<readonly Policy[]>("/recordings/policies");
  return (
    <Page title={words.title} lead={words.lead}>
      <Show resource={policies}>
        {(known) => (known.length === 0 ? <Empty>{words.no_policy}</Empty> : <Searching policies={known} />)}
      </Show>
    </Page>
  );
}

function Searching({ policies }: { readonly policies: readonly Policy[] }) {
  const words = useTexts(recordings);
  const memory = remembered(useSession().account);
  const [found, setFound] = useState(memory.found);
  const [next, setNext] = useState(memory.next);
  const [problem, setProblem] = useState<ServerProblem>();
  const show = (list: readonly Recording[], following: string) => {
    [memory.found, memory.next] = [list, following];
    setFound(list);
    setNext(following);
  };
  const search = async (answers: Answers) => {
    const page = await api.post<List<Recording>>("/recordings/search", queryOf(answers));
    [memory.reason, memory.answers] = [answers.reason ?? "", answers];
    setProblem(undefined);
    show(page.items, page.next);
  };
  const more = () => {
    api.post<List<Recording>>("/recordings/search", { ...queryOf(memory.answers), after: next }).then(
      (page) => show([...(found ?? []), ...page.items], page.next),
      (failure: unknown) => setProblem(asProblem(failure)),
    );
  };
  return (
    <>
      <Requests />
      <Section title={words.search}>
        <Form submit={words.search} onSubmit={search} isAlwaysFree>
          <Criteria policies={policies} answers={{ ...memory.answers, reason: memory.reason }} />
        </Form>
      </Section>
      {found !== undefined && (
        <Section title={words.results}>
          <Found found={found} problem={problem} more={next === "" ? undefined : more} />
        </Section>
      )}
      <LastCall policies={policies} reason={memory.reason} />
    </>
  );
}

function Criteria({ policies, answers }: { readonly policies: readonly Policy[]; readonly answers: Answers }) {
  const words = useTexts(recordings);
  const lines = [...new Set(policies.flatMap((policy) => policy.lines))];
  const named = (all: string, names: readonly string[]) => [
    { value: "", label: all },
    ...names.map((name) => ({ value: name, label: name })),
  ];
  return (
    <>
      <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide {...given(answers.reason)} />
      <div className="form-grid">
        <Field name="number" label={words.number} type="tel" maxLength={40} {...given(answers.number)} />
        <Select name="line" label={words.line} options={named(words.any_line, lines)} {...given(answers.line)} />
        <Field name="since" label={words.since} type="datetime-local" {...given(answers.since)} />
        <Field name="until" label={words.until} type="datetime-local" {...given(answers.until)} />
      </div>
      <details>
        <summary>{words.more_criteria}</summary>
        <div className="form-grid">
          <Field name="shortest" label={words.shortest} type="number" inputMode="numeric" {...given(answers.shortest)} />
          <Field name="longest" label={words.longest} type="number" inputMode="numeric" {...given(answers.longest)} />
          <Field name="user" label={words.person} maxLength={32} {...given(answers.user)} />
          <Select
            name="policy"
            label={words.policy}
            options={named(words.any_policy, policies.map((policy) => policy.name))}
            {...given(answers.policy)}
          />
        </div>
      </details>
    </>
  );
}

function given(value: string | undefined): { readonly defaultValue?: string } {
  return value === undefined ? {} : { defaultValue: value };
}

function queryOf(answers: Answers): Record<string, unknown> {
  const seconds = (value: string | undefined) => (value === undefined || value === "" ? undefined : Number(value));
  return {
    reason: answers.reason,
    number: answers.number,
    line: answers.line,
    user: answers.user,
    policy: answers.policy,
    since_at: instant(answers.since),
    until_at: instant(answers.until),
    shortest_seconds: seconds(answers.shortest),
    longest_seconds: seconds(answers.longest),
  };
}

function Found({
  found,
  problem,
  more,
}: {
  readonly found: readonly Recording[];
  readonly problem: ServerProblem | undefined;
  readonly more: (() => void) | undefined;
}) {
  const words = useTexts(recordings);
  return (
    <Table
      label={words.results}
      rows={found}
      rowKey={(one) => one.recording}
      problem={problem}
      empty={words.none}
      more={more}
      columns={[
        {
          key: "when",
          title: words.when,
          isMain: true,
          cell: (one) => (
            <Link to={`/recordings/${one.recording}`}>
              <Time at={one.begun_at} />
            </Link>
          ),
          text: (one) => momentInFull(one.begun_at),
          value: (one) => one.begun_at,
        },
        {
          key: "seconds",
          title: words.lasts,
          align: "end",
          cell: (one) => (one.seconds === null ? words.going : <Duration seconds={one.seconds} />),
          value: (one) => one.seconds ?? 0,
        },
        { key: "from", title: words.from, cell: (one) => <Number_ of={one.caller} />, text: (one) => spoken(one.caller) },
        { key: "to", title: words.to, cell: (one) => <Number_ of={one.called} />, text: (one) => spoken(one.called) },
        { key: "line", title: words.line, cell: (one) => one.line || one.user, text: (one) => `${one.line} ${one.user}` },
        { key: "state", title: words.state, cell: (one) => <RecordingState recording={one} />, text: (one) => one.state },
      ]}
    />
  );
}

/** As it is read, and found by as it is dialled too. */
function spoken(number: string): string {
  return `${spokenNumber(number)} ${number}`;
}

function Number_({ of }: { readonly of: string }) {
  return <span className="number">{spokenNumber(of)}</span>;
}

function LastCall({ policies, reason }: { readonly policies: readonly Policy[]; readonly reason: string }) {
  const words = useTexts(recordings);
  const memory = remembered(useSession().account);
  const [listening, setListening] = useState<Listening>();
  const lines = [...new Set(policies.flatMap((policy) => policy.lines))];
  if (lines.length === 0) return null;
  const listen = async (answers: Answers) => {
    const body = { reason: answers.reason, line: answers.line, last_seconds: Number(answers.last_seconds) };
    setListening(await api.post<Listening>("/recordings/last", body));
    memory.reason = answers.reason ?? "";
  };
  return (
    <Section title={words.last_call}>
      {listening === undefined ? (
        <Form submit={words.listen_last} onSubmit={listen} isAlwaysFree>
          <p className="muted">{words.last_call_hint}</p>
          <div className="form-grid">
            <Field name="reason" label={words.reason} isRequired maxLength={500} defaultValue={reason} />
            <Select name="line" label={words.line} options={lines.map((line) => ({ value: line, label: line }))} />
            <Select
              name="last_seconds"
              label={words.last_seconds}
              options={[
                { value: "0", label: words.whole_call },
                { value: "30", label: words.last_30 },
                { value: "120", label: words.last_120 },
              ]}
            />
          </div>
        </Form>
      ) : (
        <>
          <p>
            <Link to={`/recordings/${listening.recording.recording}`}>{words.recording(listening.recording.recording)}</Link>
          </p>
          <Player listening={listening} onClose={() => setListening(undefined)} />
        </>
      )}
    </Section>
  );
}

function Requests() {
  const words = useTexts(recordings);
  const requests = useResource<{ readonly items: readonly ExportRequest[] }>("/recordings/export-requests");
  const [asked, setAsked] = useState<ExportRequest>();
  const items = requests.data?.items ?? [];
  const approve = async (answers: Answers) => {
    await api.post(`/recordings/export-requests/${asked?.request ?? 0}/approval`, { reason: answers.reason });
    setAsked(undefined);
    notify(words.approved);
    requests.reload();
  };
  if (requests.problem !== undefined) return <Problem problem={requests.problem} onRetry={requests.reload} />;
  if (items.length === 0) return null;
  return (
    <Section title={words.requests}>
      <Table
        label={words.requests}
        rows={items}
        rowKey={(one) => String(one.request)}
        empty=""
        hasFilter={false}
        columns={[
          {
            key: "recording",
            title: words.entry_recording,
            isMain: true,
            cell: (one) => <Link to={`/recordings/${one.recording}`}>{one.recording}</Link>,
          },
          { key: "by", title: words.who, cell: (one) => (one.own ? words.request_own : words.request_of(one.by)) },
          { key: "why", title: words.reason, cell: (one) => one.reason },
          { key: "until", title: words.state, cell: (one) => <RequestState request={one} /> },
          {
            key: "do",
            title: "",
            align: "end",
            cell: (one) =>
              !one.own &&
              one.approved_by === "" && (
                <Button label={`${words.approve} ${one.recording}`} onPress={() => setAsked(one)}>
                  {words.approve}
                </Button>
              ),
          },
        ]}
      />
      {asked !== undefined && (
        <Dialog title={words.approve_title} onClose={() => setAsked(undefined)}>
          <Form submit={words.approve} onSubmit={approve} onCancel={() => setAsked(undefined)}>
            <p>{words.approve_text}</p>
            <p>
              {asked.recording} — {words.request_of(asked.by)} — {asked.reason}
            </p>
            <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide />
          </Form>
        </Dialog>
      )}
    </Section>
  );
}

function RequestState({ request }: { readonly request: ExportRequest }) {
  const words = useTexts(recordings);
  const state = request.approved_by === "" ? words.waits : words.approved_by(request.approved_by);
  return (
    <>
      {state}, {words.until_at(momentInFull(request.until_at))}
    </>
  );
}
