/** The audit journal: searched, one entry looked at, all of it verified and taken away. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Facts } from "../../components/Facts";
import { Field, Select } from "../../components/Field";
import { Page } from "../../components/Page";
import { State } from "../../components/State";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { audit, nouns } from "../../language/audit";
import { momentInFull } from "../../language/moments";
import { useLanguage, useTexts } from "../../language/texts";
import { address } from "../../server/api";
import { useList } from "../../server/resource";
import { Verify } from "./Verify";
import "./audit.css";
import { type Entry, details, said, shown } from "./shapes";

interface Asked {
  readonly by: string;
  readonly what: string;
  readonly whom: string;
  readonly text: string;
  readonly since: string;
  readonly until: string;
}

const NOTHING: Asked = { by: "", what: "", whom: "", text: "", since: "", until: "" };

export default function Audit() {
  const words = useTexts(audit);
  const spoken = useLanguage();
  const [asked, setAsked] = useState(NOTHING);
  const [entry, setEntry] = useState<Entry>();
  const list = useList<Entry>(path(asked));
  return (
    <Page
      title={words.title}
      lead={words.lead}
      actions={
        <>
          <Verify />
          <a className="button plain" href={address("/audit/export")} download>
            {words.export}
          </a>
        </>
      }
    >
      <Filters onSearch={setAsked} />
      <Table
        label={words.title}
        rows={list.items}
        rowKey={(one) => String(one.number)}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        more={list.more}
        hasFilter={false}
        empty={list.more === undefined ? words.empty : words.further}
        columns={[
          {
            key: "what",
            title: words.what,
            isMain: true,
            cell: (one) => (
              <button type="button" className="audit-what" onClick={() => setEntry(one)}>
                {said(one.what, spoken)}
              </button>
            ),
          },
          { key: "at", title: words.at, cell: (one) => <Time at={one.entered_at} /> },
          {
            key: "by",
            title: words.by,
            cell: (one) => (
              <>
                {one.by || words.nobody} <span className="muted">({how(one, words)})</span>
              </>
            ),
          },
          { key: "whom", title: words.whom, cell: (one) => one.whom },
          {
            key: "details",
            title: words.details,
            cell: (one) =>
              (!one.sound || details(one.about) !== "") && (
                <span className="audit-details">
                  {!one.sound && <State kind="bad">{words.unsound}</State>} {details(one.about)}
                </span>
              ),
          },
        ]}
      />
      {entry !== undefined && <OneEntry entry={entry} onClose={() => setEntry(undefined)} />}
    </Page>
  );
}

function Filters({ onSearch }: { readonly onSearch: (asked: Asked) => void }) {
  const words = useTexts(audit);
  const known = useTexts(nouns);
  const [typed, setTyped] = useState(NOTHING);
  const change = (name: keyof Asked) => (value: string) => {
    const next = { ...typed, [name]: value };
    setTyped(next);
    if (name === "what") onSearch(next);
  };
  const options = Object.entries(known).map(([value, label]) => ({ value, label }));
  return (
    <form
      className="audit-filters"
      role="search"
      aria-label={words.title}
      onSubmit={(event) => {
        event.preventDefault();
        onSearch(typed);
      }}
    >
      <Select
        name="what"
        label={words.filter_what}
        options={[{ value: "", label: words.everything }, ...options]}
        value={typed.what}
        onChange={change("what")}
      />
      <Field name="by" label={words.filter_by} value={typed.by} onChange={change("by")} />
      <Field name="whom" label={words.filter_whom} value={typed.whom} onChange={change("whom")} />
      <Field name="text" label={words.filter_text} value={typed.text} onChange={change("text")} />
      <Field name="since" type="date" label={words.filter_since} value={typed.since} onChange={change("since")} />
      <Field name="until" type="date" label={words.filter_until} value={typed.until} onChange={change("until")} />
      <div className="actions">
        <Button type="submit" kind="main">
          {words.search}
        </Button>
      </div>
    </form>
  );
}

function OneEntry({ entry, onClose }: { readonly entry: Entry; readonly onClose: () => void }) {
  const words = useTexts(audit);
  const spoken = useLanguage();
  const rest = Object.entries(entry.about).filter(([name]) => name !== "whom");
  return (
    <Dialog title={words.entry(String(entry.number))} onClose={onClose}>
      <Facts
        facts={[
          [words.what, said(entry.what, spoken)],
          [words.at, momentInFull(entry.entered_at)],
          [words.by, entry.by || words.nobody],
          [words.how, how(entry, words)],
          ...(entry.address === "" ? [] : [[words.address, entry.address] as const]),
          ...(entry.whom === "" ? [] : [[words.whom, entry.whom] as const]),
          ...rest.map(([name, value]) => [name.replaceAll("_", " "), shown(value)] as const),
          [words.code, <code key="code">{entry.what}</code>],
          [
            words.signature,
            entry.sound ? (
              <State key="sound" kind="good">
                {words.sound}
              </State>
            ) : (
              <State key="sound" kind="bad">
                {words.unsound}
              </State>
            ),
          ],
          [
            words.digest,
            <code key="digest" className="audit-digest">
              {entry.digest}
            </code>,
          ],
        ]}
      />
    </Dialog>
  );
}

function how(entry: Entry, words: { session: string; token: string; command: string; node: string }): string {
  return (words as Readonly<Record<string, string>>)[entry.how] ?? entry.how;
}

function path({ since, until, ...named }: Asked): string {
  const day = (text: string, days: number) => {
    if (text === "") return undefined;
    const date = new Date(`${text}T00:00`);
    date.setDate(date.getDate() + days);
    return date.getTime() / 1000;
  };
  const query = { ...named, since: day(since, 0), until: day(until, 1) };
  return address("/audit", query).replace("/api/v1", "");
}
