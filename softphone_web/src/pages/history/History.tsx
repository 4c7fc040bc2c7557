/** Past calls: one's own, to call back; for who may, everybody's, found by what is known of them. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Checkbox, Field, Select } from "../../components/Field";
import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { State } from "../../components/State";
import { type Column, Table } from "../../components/Table";
import { Duration, Time } from "../../components/Time";
import { history } from "../../language/history";
import { useTexts } from "../../language/texts";
import { address } from "../../server/api";
import { useList } from "../../server/resource";
import { useSession } from "../../server/session";
import "./history.css";
import { EVENTS, type PastCall } from "./shapes";
import { OutcomeShown, Party, QualityShown } from "./words";

type Criteria = Readonly<Record<string, string>>;

export default function History() {
  const words = useTexts(history);
  const session = useSession();
  const mayReadAll = session.rights.includes("history.read");
  const [whose, setWhose] = useState(mayReadAll && session.extension === "" ? "all" : "mine");
  const [criteria, setCriteria] = useState<Criteria>({});
  const isAll = whose === "all";
  const query = { ...asked(criteria), whose };
  const calls = useList<PastCall>(address("/history", query).slice("/api/v1".length), { events: EVENTS });
  const isSearched = Object.values(criteria).some((value) => value !== "");
  const exported = (
    <a className="button" href={address("/history/export", asked(criteria))} download="calls.csv">
      {words.export}
    </a>
  );
  return (
    <Page
      title={words.title}
      lead={isAll ? words.lead_all : words.lead_mine}
      actions={isAll ? exported : undefined}
    >
      <Search
        key={whose}
        isAll={isAll}
        whose={mayReadAll && session.extension !== "" ? { value: whose, change: setWhose } : undefined}
        onSearch={setCriteria}
      />
      <Table<PastCall>
        label={words.title}
        rows={calls.items}
        rowKey={(call) => call.id}
        isLoading={calls.isLoading}
        problem={calls.problem}
        onRetry={calls.reload}
        empty={isSearched ? words.none_found : isAll ? words.none_all : words.none_mine}
        hasFilter={false}
        more={calls.more}
        columns={useColumns(isAll)}
      />
    </Page>
  );
}

/** What the form has, as the server is asked. A day is the browser's. */
function asked(criteria: Criteria): Record<string, string> {
  const { since = "", until = "", ...rest } = criteria;
  const day = (text: string, after: number) => {
    const at = new Date(`${text}T00:00`);
    at.setDate(at.getDate() + after);
    return text === "" ? "" : String(at.getTime() / 1000);
  };
  return { ...rest, since: day(since, 0), until: day(until, 1) };
}

function Search({
  isAll,
  whose,
  onSearch,
}: {
  readonly isAll: boolean;
  readonly whose: { readonly value: string; readonly change: (value: string) => void } | undefined;
  readonly onSearch: (criteria: Criteria) => void;
}) {
  const words = useTexts(history);
  const [isEmpty, setEmpty] = useState(true);
  const send = (form: HTMLFormElement) => {
    const given: Record<string, string> = {};
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && name !== "whose") given[name] = value === "on" ? "true" : value.trim();
    }
    setEmpty(Object.values(given).every((value) => value === ""));
    onSearch(given);
  };
  return (
    <form
      className="history-search"
      role="search"
      aria-label={words.title}
      onSubmit={(event) => {
        event.preventDefault();
        send(event.currentTarget);
      }}
      onReset={() => {
        setEmpty(true);
        onSearch({});
      }}
    >
      <div className="history-fields">
        {whose !== undefined && (
          <Select
            name="whose"
            label={words.whose}
            value={whose.value}
            onChange={(value) => {
              onSearch({});
              whose.change(value);
            }}
            options={[
              { value: "mine", label: words.mine },
              { value: "all", label: words.all },
            ]}
          />
        )}
        <Field name="number" label={words.number} type="search" maxLength={60} placeholder={words.number_hint} />
        <Field name="name" label={words.name} type="search" maxLength={60} />
        <Select
          name="outcome"
          label={words.result}
          options={[
            { value: "", label: words.any },
            { value: "answered", label: words.answered },
            { value: "missed", label: words.missed },
          ]}
        />
        <Field name="since" label={words.since} type="date" />
        <Field name="until" label={words.until} type="date" />
      </div>
      {isAll && (
        <details>
          <summary>{words.more_criteria}</summary>
          <div className="history-fields">
            <Select
              name="direction"
              label={words.direction}
              options={[
                { value: "", label: words.any },
                { value: "internal", label: words.internal },
                { value: "inbound", label: words.inbound },
                { value: "outbound", label: words.outbound },
              ]}
            />
            <Field name="service" label={words.service} type="search" maxLength={60} />
            <Field name="trunk" label={words.trunk} type="search" maxLength={60} />
            <Select
              name="quality_below"
              label={words.quality}
              options={[
                { value: "", label: words.any_quality },
                { value: "4", label: words.below_fair },
                { value: "3.6", label: words.below_poor },
              ]}
            />
            <Checkbox name="recorded" label={words.recorded_only} />
          </div>
        </details>
      )}
      <div className="actions">
        <Button type="submit" kind="main">
          {words.search}
        </Button>
        {!isEmpty && (
          <button type="reset" className="button plain">
            {words.clear}
          </button>
        )}
      </div>
    </form>
  );
}

function useColumns(isAll: boolean): readonly Column<PastCall>[] {
  const words = useTexts(history);
  const when: Column<PastCall> = {
    key: "when",
    title: words.when,
    isMain: true,
    cell: (call) => (
      <Link to={`/history/${call.id}`}>
        <Time at={call.started_at} />
      </Link>
    ),
  };
  const result: Column<PastCall> = {
    key: "outcome",
    title: words.result,
    cell: (call) => <OutcomeShown outcome={call.outcome} />,
  };
  const talked: Column<PastCall> = {
    key: "talked",
    title: words.talked,
    cell: (call) =>
      call.answered_at === null || call.outcome === "elsewhere" ? (
        "–"
      ) : (
        <Duration seconds={call.ended_at - call.answered_at} />
      ),
  };
  const caller = (call: PastCall) => <Party number={call.from_number} name={call.from_name} />;
  const called = (call: PastCall) => <Party number={call.to === "" ? call.dialled : call.to} name={call.to_name} />;
  if (!isAll) {
    return [
      when,
      { key: "who", title: words.who, cell: (call) => (call.way === "out" ? called(call) : caller(call)) },
      { key: "way", title: words.direction, cell: (call) => (call.way === "out" ? words.way_out : words.way_in) },
      result,
      talked,
      { key: "note", title: words.note, cell: (call) => <span className="history-note">{call.note}</span> },
    ];
  }
  return [
    when,
    { key: "from", title: words.from, cell: caller },
    { key: "to", title: words.to, cell: called },
    { key: "direction", title: words.direction, cell: (call) => words[call.direction] },
    result,
    talked,
    { key: "quality", title: words.quality, cell: (call) => <QualityShown quality={call.quality} /> },
    {
      key: "recorded",
      title: words.recorded,
      cell: (call) => (call.is_recorded ? <State kind="busy">{words.yes}</State> : "–"),
    },
  ];
}
