/** Calls in progress, live: who is in them, what each one does, since when; and what one may do with them. */
import { useEffect } from "react";

import { Page } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Badge, State } from "../../components/State";
import { Table } from "../../components/Table";
import { Since } from "../../components/Time";
import { calls } from "../../language/calls";
import { useTexts } from "../../language/texts";
import { useLink } from "../../server/events";
import { useList } from "../../server/resource";
import { useMay } from "../../server/session";
import { CallActions } from "./CallActions";
import "./calls.css";
import { type Call, EVENTS, type Party, SHAPES } from "./shapes";

// Holding and muting are no events: what they change is seen within this.
const AGAIN_MS = 5000;

export default function Calls() {
  const words = useTexts(calls);
  const seesAll = useMay("calls.read");
  const link = useLink();
  const list = useList<Call>("/calls?limit=200", { events: EVENTS });
  const { reload } = list;
  const isBusy = list.items.length > 0;
  useEffect(() => {
    if (!isBusy) return undefined;
    const timer = setInterval(reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, [isBusy, reload]);
  return (
    <Page title={words.title} lead={link === "lost" ? words.frozen : seesAll ? words.lead_all : words.lead_own}>
      <Table<Call>
        label={words.title}
        rows={list.items}
        rowKey={(call) => call.id}
        isLoading={list.isLoading}
        problem={list.problem}
        onRetry={list.reload}
        more={list.more}
        empty={seesAll ? words.none : words.none_own}
        hasFilter={list.items.length > 5}
        columns={[
          {
            key: "parties",
            title: words.parties,
            isMain: true,
            cell: (call) => <Parties call={call} />,
            text: (call) => call.parties.map((party) => `${party.name} ${party.number}`).join(" "),
          },
          {
            key: "towards",
            title: words.towards,
            cell: (call) => <Towards call={call} />,
            text: (call) => `${call.to} ${call.dialled}`,
          },
          {
            key: "lasting",
            title: words.lasting,
            cell: (call) => <Lasting call={call} />,
            value: (call) => -(call.answered_at ?? call.started_at),
          },
          { key: "actions", title: words.actions, cell: (call) => <CallActions call={call} onDone={reload} /> },
        ]}
      />
    </Page>
  );
}

function Parties({ call }: { readonly call: Call }) {
  return (
    <ul className="parties">
      {call.parties.map((party) => (
        <PartyShown key={party.leg} party={party} />
      ))}
    </ul>
  );
}

function PartyShown({ party }: { readonly party: Party }) {
  const words = useTexts(calls);
  return (
    <li>
      <State kind={SHAPES[party.state]}>{words[party.state]}</State>
      {party.name !== "" && party.name !== party.number && <span className="name">{party.name}</span>}
      {party.number === "" ? words.anonymous : <PhoneNumber number={party.number} name={party.name} />}
      {party.muted && <Badge>{words.muted}</Badge>}
    </li>
  );
}

function Towards({ call }: { readonly call: Call }) {
  const target = call.to === "" ? call.dialled : call.to;
  return <span>{target}</span>;
}

function Lasting({ call }: { readonly call: Call }) {
  const words = useTexts(calls);
  if (call.answered_at !== null) return <Since at={call.answered_at} />;
  return (
    <span className="muted">
      {words.rings_since} <Since at={call.started_at} />
    </span>
  );
}
