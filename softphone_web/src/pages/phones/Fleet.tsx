/** The telephones: searched, narrowed by state, site and model, and opened. */
import { useMemo, useState } from "react";

import { Button } from "../../components/Button";
import { Select } from "../../components/Field";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { useSaying } from "../../components/Problem";
import { State } from "../../components/State";
import { type Column, Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { phoneCare } from "../../language/phone_care";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { asProblem, useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { useApproval } from "./approval";
import type { Inventory, Item } from "./care";
import { KINDS, type Phone, type Stage, called, printed } from "./phone";

const STAGES: readonly Stage[] = ["enrolled", "approved", "waiting", "blocked"];

export function Fleet({ items, onChanged }: { readonly items: readonly Phone[]; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const [stage, setStage] = useState("");
  const [place, setPlace] = useState("");
  const [model, setModel] = useState("");
  const mayChange = useMay("devices.change");
  const { approve, question } = useApproval(() => {
    notify(words.taken);
    onChanged();
  });
  const columns = useColumns(mayChange, approve);
  const shown = items.filter(
    (one) => (stage === "" || one.stage === stage) && (place === "" || one.place === place) && (model === "" || modelOf(one) === model),
  );
  if (items.length === 0) return <First />;
  return (
    <div className="phones-fleet">
      <Table
        label={words.title}
        rows={shown}
        rowKey={(one) => one.name}
        empty={words.no_match_filters}
        filters={
          <>
            <Select
              name="stage"
              label={words.state}
              value={stage}
              onChange={setStage}
              options={[{ value: "", label: words.all_states }, ...STAGES.map((one) => ({ value: one, label: words[`stage_${one}`] }))]}
            />
            <Select name="place" label={words.site} value={place} onChange={setPlace} options={chosenFrom(words.all_sites, items.map((one) => one.place))} />
            <Select name="model" label={words.model} value={model} onChange={setModel} options={chosenFrom(words.all_models, items.map(modelOf))} />
          </>
        }
        columns={columns}
      />
      {question}
    </div>
  );
}

/** Where each telephone is now, by name; nothing where the exchange doesn't answer. */
function useNow(): ReadonlyMap<string, Item> {
  const found = useResource<Inventory>("/phones/inventory").data;
  return useMemo(() => new Map(found?.reachable === true ? found.items.map((one) => [one.name, one]) : []), [found]);
}

/** In service: connected, in a call or not; else how far it is on the way there. */
function stateOf(phone: Phone, now: Item | undefined, words: (typeof phones)["fr"], care: (typeof phoneCare)["fr"]): string {
  if (phone.stage !== "enrolled" || now === undefined) return words[`stage_${phone.stage}`];
  if (!now.registered) return care.disconnected;
  return now.in_call ? care.talking : care.connected;
}

function StateNow({ phone, now }: { readonly phone: Phone; readonly now: Item | undefined }) {
  const words = useTexts(phones);
  const care = useTexts(phoneCare);
  const isKnown = phone.stage === "enrolled" && now !== undefined;
  const kind = isKnown ? (!now.registered ? "off" : now.in_call ? "busy" : "good") : KINDS[phone.stage];
  return (
    <>
      <State kind={kind}>{stateOf(phone, now, words, care)}</State>
      {isKnown && now.settings === "to_come" && <div className="muted">{care.settings_to_come}</div>}
    </>
  );
}

function useColumns(mayChange: boolean, approve: (phone: Phone) => Promise<void>): Column<Phone>[] {
  const words = useTexts(phones);
  const care = useTexts(phoneCare);
  const now = useNow();
  const say = useSaying();
  const take = async (phone: Phone) => {
    try {
      await approve(phone);
    } catch (failure) {
      notify(say(asProblem(failure)), "bad");
    }
  };
  return [
    {
      key: "name",
      title: words.device,
      isMain: true,
      text: (one) => `${one.label} ${printed(one.name)} ${one.name}`,
      cell: (one) => (
        <>
          <Link to={`/phones/${one.name}`}>{called(one)}</Link>
          {one.label !== "" && (
            <div className="muted">
              <code>{printed(one.name)}</code>
            </div>
          )}
        </>
      ),
    },
    { key: "whose", title: words.whose, text: whose, cell: (one) => <Whose phone={one} /> },
    { key: "model", title: words.model, text: modelOf, cell: modelOf },
    { key: "version", title: words.version, text: (one) => one.version, cell: (one) => one.version },
    {
      key: "site",
      title: words.site,
      text: (one) => one.place,
      cell: (one) => one.place,
    },
    {
      key: "state",
      title: words.state,
      text: (one) => stateOf(one, now.get(one.name), words, care),
      cell: (one) => (
        <>
          <StateNow phone={one} now={now.get(one.name)} />
          {mayChange && one.stage === "waiting" && one.address !== "" && (
            <Button label={words.take_one(printed(one.name))} onPress={() => void take(one)}>
              {words.take}
            </Button>
          )}
          {one.invited && <div className="muted">{words.invited}</div>}
        </>
      ),
    },
    {
      key: "seen",
      title: words.seen,
      value: (one) => one.last_seen_at,
      cell: (one) => (one.last_seen_at === 0 ? <span className="muted">{words.never}</span> : <Time at={one.last_seen_at} />),
    },
  ];
}

/** Whose a telephone is: names, each with its number. */
export function Whose({ phone }: { readonly phone: Phone }) {
  const words = useTexts(phones);
  if (phone.extensions.length === 0) return <span className="muted">{words.nobody}</span>;
  return (
    <>
      {phone.extensions.map((extension, index) => (
        <div key={extension}>
          {phone.names[index] ?? ""} <span className="muted number">{extension}</span>
        </div>
      ))}
    </>
  );
}

/** Nothing is there yet: what to do, in order. */
function First() {
  const words = useTexts(phones);
  return (
    <div className="empty phones-first">
      <h2>{words.first_title}</h2>
      <ol>
        <li>{words.first_network}</li>
        <li>{words.first_window}</li>
        <li>{words.first_adopt}</li>
      </ol>
      <p>{words.first_link}</p>
    </div>
  );
}

function modelOf(phone: Phone): string {
  return `${phone.maker} ${phone.model}`.trim();
}

function whose(phone: Phone): string {
  return [...phone.names, ...phone.extensions].join(" ");
}

function chosenFrom(all: string, found: readonly string[]) {
  const each = [...new Set(found)].filter(Boolean).sort((a, b) => a.localeCompare(b));
  return [{ value: "", label: all }, ...each.map((one) => ({ value: one, label: one }))];
}
