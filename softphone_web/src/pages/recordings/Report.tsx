/** The account of recordings: what is kept, who did what with it, what is held, what goes, and whom it is about. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { Empty } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Table } from "../../components/Table";
import { Tabs } from "../../components/Tabs";
import { Time } from "../../components/Time";
import { amount, day, size } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useLanguage, useTexts } from "../../language/texts";
import { navigate } from "../../shell/place";
import { address } from "../../server/api";
import { useResource } from "../../server/resource";
import { AboutNumber, Forecast, ReceiptCheck } from "./Enquiries";
import { HoldLines, Releasing } from "./Keeping";
import "./recordings.css";
import { type Entry, type Hold, type Policy, dayOf, instant } from "./shapes";
import { ClockDoubt, JournalTable } from "./words";

const DAY = 86_400;

interface PolicyReport extends Policy {
  readonly kept: number;
  readonly kept_bytes: number;
  readonly next_purge_at: number | null;
  readonly held: number;
  readonly begun: number;
  readonly purged: number;
}

interface PurgedRecording {
  readonly recording: string;
  readonly at: number;
  readonly policy: string;
  readonly cause: string;
  readonly by: string;
  readonly reason: string;
}

interface Account {
  readonly policies: readonly PolicyReport[];
  readonly used: readonly Entry[];
  readonly events: readonly Entry[];
  readonly holds: readonly Hold[];
  readonly purged: readonly PurgedRecording[];
  readonly clock: string;
  readonly entries: number;
}

export default function Report() {
  const words = useTexts(recordings);
  const [now] = useState(() => Date.now() / 1000);
  const [since, setSince] = useState(() => dayOf(now - 30 * DAY));
  const [until, setUntil] = useState(() => dayOf(now));
  const from = instant(since) ?? now - 30 * DAY;
  const to = (instant(until) ?? now) + DAY; // all of the last day
  return (
    <Page title={words.report} lead={words.report_lead}>
      <Tabs
        label={words.report}
        tabs={[
          {
            key: "account",
            title: words.journal_tab,
            content: (
              <>
                <div className="filters">
                  <Field name="since" label={words.since} type="date" value={since} onChange={setSince} />
                  <Field name="until" label={words.until} type="date" value={until} onChange={setUntil} />
                </div>
                <AccountOf since={Math.min(from, to - DAY)} until={to} />
              </>
            ),
          },
          { key: "forecast", title: words.forecast, content: <Forecast /> },
          { key: "about", title: words.about_number, content: <AboutNumber /> },
          { key: "receipt", title: words.receipt, content: <ReceiptCheck /> },
        ]}
      />
    </Page>
  );
}

function AccountOf({ since, until }: { readonly since: number; readonly until: number }) {
  const words = useTexts(recordings);
  const spoken = useLanguage();
  const query = { since_at: since, until_at: until };
  const account = useResource<Account>(`/recordings/keeping/report?since_at=${since}&until_at=${until}`);
  const [ending, setEnding] = useState<Hold>();
  return (
    <Show resource={account}>
      {(told) => (
        <>
          {told.clock !== "" && <ClockDoubt why={told.clock} />}
          <p>
            <a className="button" href={address("/recordings/keeping/report/document", { ...query, language: spoken })} download>
              {words.document}
            </a>{" "}
            <span className="muted">{words.journal_state(amount(told.entries))}</span>
          </p>
          <Policies policies={told.policies} />
          <Uses
            title={words.uses}
            entries={told.used.filter((entry) => entry.what !== "refused")}
            empty={words.no_uses}
          />
          <Uses
            title={words.refused_uses}
            entries={told.used.filter((entry) => entry.what === "refused")}
            empty={words.no_refused}
          />
          <Section title={words.all_holds}>
            {told.holds.length === 0 ? (
              <p className="muted">{words.no_hold_at_all}</p>
            ) : (
              <HoldLines holds={told.holds} onRelease={setEnding} hasRecording />
            )}
          </Section>
          <Purged purged={told.purged} />
          <Uses title={words.events} entries={told.events} empty={words.no_events} />
          <OtherRecording />
          {ending !== undefined && (
            <Releasing
              hold={ending}
              path="/recordings/keeping/holds/release"
              onDone={account.reload}
              onClose={() => setEnding(undefined)}
            />
          )}
        </>
      )}
    </Show>
  );
}

function Policies({ policies }: { readonly policies: readonly PolicyReport[] }) {
  const words = useTexts(recordings);
  return (
    <Section title={words.policies}>
      <Table
        label={words.policies}
        rows={policies}
        rowKey={(one) => one.name}
        empty={words.none}
        hasFilter={false}
        columns={[
          { key: "name", title: words.policy, cell: (one) => one.name, isMain: true, text: (one) => one.name },
          { key: "basis", title: words.legal_basis, cell: (one) => one.legal_basis },
          {
            key: "days",
            title: words.kept_for,
            cell: (one) => (one.keep_days === null ? words.not_in_plan : words.days(one.keep_days)),
          },
          {
            key: "kept",
            title: words.kept,
            cell: (one) => `${amount(one.kept)} (${size(one.kept_bytes)})`,
            value: (one) => one.kept,
            align: "end",
          },
          { key: "held", title: words.held, cell: (one) => amount(one.held), value: (one) => one.held, align: "end" },
          { key: "new", title: words.begun_in_period, cell: (one) => amount(one.begun), align: "end" },
          { key: "gone", title: words.purged_in_period, cell: (one) => amount(one.purged), align: "end" },
          {
            key: "next",
            title: words.next_purge,
            cell: (one) => (one.next_purge_at === null ? "–" : day(one.next_purge_at)),
          },
        ]}
      />
    </Section>
  );
}

function Uses({
  title,
  entries,
  empty,
}: {
  readonly title: string;
  readonly entries: readonly Entry[];
  readonly empty: string;
}) {
  const cell = (entry: Entry) =>
    entry.recording === "" ? "" : <Link to={`/recording-journal/${entry.recording}`}>{entry.recording}</Link>;
  return (
    <Section title={title}>
      <JournalTable label={title} entries={entries} empty={empty} recordingCell={cell} />
    </Section>
  );
}

function Purged({ purged }: { readonly purged: readonly PurgedRecording[] }) {
  const words = useTexts(recordings);
  const causes: Readonly<Record<string, string>> = {
    due: words.cause_due,
    early: words.cause_early,
    room: words.cause_room,
    erasure: words.cause_erasure,
  };
  if (purged.length === 0) {
    return (
      <Section title={words.purged}>
        <p className="muted">{words.nothing_purged}</p>
      </Section>
    );
  }
  return (
    <Section title={words.purged}>
      <Table
        label={words.purged}
        rows={purged}
        rowKey={(one) => one.recording}
        empty={<Empty>{words.nothing_purged}</Empty>}
        columns={[
          { key: "recording", title: words.entry_recording, cell: (one) => one.recording, isMain: true, text: (one) => one.recording },
          { key: "at", title: words.when, cell: (one) => <Time at={one.at} />, value: (one) => one.at },
          { key: "policy", title: words.policy, cell: (one) => one.policy, text: (one) => one.policy },
          { key: "cause", title: words.cause, cell: (one) => causes[one.cause] ?? one.cause, text: (one) => one.cause },
          { key: "by", title: words.who, cell: (one) => one.by, text: (one) => one.by },
        ]}
      />
    </Section>
  );
}

/** The journal of a recording that the period doesn't name. */
function OtherRecording() {
  const words = useTexts(recordings);
  const [name, setName] = useState("");
  const go = () => navigate(`/recording-journal/${encodeURIComponent(name.trim())}`);
  return (
    <Section title={words.journal}>
      <div className="filters">
        <Field name="other" label={words.other_recording} value={name} onChange={setName} maxLength={80} />
        <Button isDisabled={name.trim() === ""} onPress={go}>
          {words.open_journal}
        </Button>
      </div>
    </Section>
  );
}
