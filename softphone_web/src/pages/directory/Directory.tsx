/** The directory: somebody is found as one types, and called. */
import { type KeyboardEvent, useId, useRef, useState } from "react";

import { Select } from "../../components/Field";
import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Table } from "../../components/Table";
import { directory } from "../../language/directory";
import { useLanguage, useTexts } from "../../language/texts";
import { type List, address } from "../../server/api";
import { useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { navigate } from "../../shell/place";
import { useShortcut } from "../../shell/shortcuts";
import { AbsenceNote } from "./AbsenceNote";
import { DoingOf, WatchAll } from "./DoingOf";
import { Face } from "./Face";
import "./directory.css";
import { MOST_FOUND, useSearch } from "./search";
import type { Entry, Kind } from "./shapes";

export default function Directory() {
  const words = useTexts(directory);
  const spoken = useLanguage();
  const mayChange = useMay("people.change");
  const [typed, setTyped] = useState("");
  const [kind, setKind] = useState<Kind | "">("");
  const found = useSearch(typed, kind);
  const actions = (
    <>
      <Link to="/directory/new" className="button main">
        {words.add}
      </Link>
      <Link to="/directory/import" className="button">
        {words.import_}
      </Link>
      <a className="button" href={address("/directory/export", { language: spoken })} download>
        {words.export_}
      </a>
    </>
  );
  return (
    <Page title={words.title} actions={mayChange ? actions : undefined}>
      <Searching
        typed={typed}
        onType={setTyped}
        kind={kind}
        onKind={setKind}
        count={typed === "" ? undefined : found.rows.length}
        onOpen={() => {
          const first = found.rows[0];
          if (first?.kind === "person") navigate(pathOf(first));
        }}
      />
      {typed === "" && <Favourites />}
      <WatchAll>
        <Table<Entry>
          label={words.title}
          rows={found.rows}
          rowKey={(entry) => entry.id}
          isLoading={found.isLoading}
          problem={found.problem}
          onRetry={found.reload}
          hasFilter={false}
          more={found.more}
          empty={typed === "" ? words.nobody_yet : words.nobody(typed)}
          columns={[
            { key: "name", title: words.name, isMain: true, cell: (entry) => <Who entry={entry} /> },
            {
              key: "number",
              title: words.number,
              cell: (entry) => entry.number !== "" && <PhoneNumber number={entry.number} name={entry.name} />,
            },
            {
              key: "public",
              title: words.public_number,
              cell: (entry) =>
                entry.public_number !== "" && <PhoneNumber number={entry.public_number} name={entry.name} />,
            },
            { key: "site", title: words.site, cell: (entry) => <About entry={entry} /> },
            {
              key: "state",
              title: words.state,
              cell: (entry) => entry.kind === "person" && <DoingOf extension={entry.number} />,
            },
            { key: "note", title: words.note, cell: (entry) => <AbsenceNote absence={entry.absence} /> },
          ]}
        />
      </WatchAll>
    </Page>
  );
}

function Searching({
  typed,
  onType,
  kind,
  onKind,
  count,
  onOpen,
}: {
  readonly typed: string;
  readonly onType: (typed: string) => void;
  readonly kind: Kind | "";
  readonly onKind: (kind: Kind | "") => void;
  /** How many were found; undefined while nothing is typed. */
  readonly count: number | undefined;
  /** Enter: the first that was found is opened. */
  readonly onOpen: () => void;
}) {
  const words = useTexts(directory);
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  useShortcut("/", words.key_search, () => field.current?.focus());
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "Enter") onOpen();
    else if (event.key === "Escape") onType("");
    else if (event.key === "ArrowDown") {
      event.preventDefault();
      document.querySelector<HTMLElement>("main tbody a, main tbody button")?.focus();
    }
  };
  return (
    <div className="searching" role="search" aria-label={words.title}>
      <div className="filter">
        <label htmlFor={id}>{words.search}</label>
        <input
          id={id}
          ref={field}
          type="search"
          value={typed}
          maxLength={100}
          autoComplete="off"
          spellCheck={false}
          aria-describedby={`${id}hint`}
          aria-keyshortcuts="/"
          onChange={(event) => onType(event.target.value)}
          onKeyDown={pressed}
        />
        <p id={`${id}hint`} className="hint">
          {words.search_hint}
        </p>
      </div>
      <Select
        name="kind"
        label={words.kind}
        value={kind}
        onChange={(value) => onKind(value as Kind | "")}
        options={[
          { value: "", label: words.kind_all },
          { value: "person", label: words.kind_person },
          { value: "service", label: words.kind_service },
          { value: "group", label: words.kind_group },
        ]}
      />
      <p className="count" role="status">
        {count !== undefined && (count >= MOST_FOUND ? words.first(count) : words.found(count))}
      </p>
    </div>
  );
}

function Favourites() {
  const words = useTexts(directory);
  const kept = useResource<List<Entry>>("/directory/favourites");
  if (kept.data === undefined || kept.data.items.length === 0) return null;
  return (
    <ul className="favourites" aria-label={words.favourites}>
      {kept.data.items.map((entry) => (
        <li key={entry.id}>
          <Who entry={entry} />
          {entry.number !== "" && <PhoneNumber number={entry.number} name={entry.name} />}
        </li>
      ))}
    </ul>
  );
}

function Who({ entry }: { readonly entry: Entry }) {
  return (
    <span className="who">
      <Face entry={entry} />
      {entry.kind === "person" ? <Link to={pathOf(entry)}>{entry.name}</Link> : <span>{entry.name}</span>}
    </span>
  );
}

function About({ entry }: { readonly entry: Entry }) {
  const words = useTexts(directory);
  if (entry.kind === "service") return <span className="muted">{words.service}</span>;
  if (entry.kind === "group") return <span className="muted">{words.members(entry.members)}</span>;
  return entry.site_title;
}

function pathOf(entry: Entry): string {
  return `/directory/${encodeURIComponent(entry.number)}`;
}
