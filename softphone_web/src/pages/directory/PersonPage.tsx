/** Somebody's page: how to reach them, their absence, photo, settings and devices. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { Facts } from "../../components/Facts";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Show } from "../../components/Show";
import type { PageProps } from "../../pages";
import { directory } from "../../language/directory";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useMay, useSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { Forwarding } from "../around/Forwarding";
import "../around/around.css";
import { DoingShown } from "../around/DoingShown";
import { usePresence } from "../around/presence";
import { PersonKeysPart } from "../phones/PersonKeysPart";
import { AbsencePart } from "./AbsencePart";
import { AddDevice } from "./AddDevice";
import { Face } from "./Face";
import { PhotoButtons } from "./PhotoButtons";
import { Star } from "./Star";
import "./directory.css";
import type { Person } from "./shapes";

export default function PersonPage({ params }: PageProps) {
  const words = useTexts(directory);
  const extension = params["extension"] ?? "";
  const person = useResource<Person>(`/people/${encodeURIComponent(extension)}`);
  const [isLeaving, setLeaving] = useState(false);
  const mayChange = useMay("people.change");
  const shown = person.data;
  const actions = shown !== undefined && (
    <>
      <Star entry={shown} />
      {mayChange && shown.source === "database" && (
        <>
          <Link to={`/directory/${extension}/change`} className="button main">
            {words.change}
          </Link>
          <Button onPress={() => setLeaving(true)}>{words.remove}</Button>
        </>
      )}
    </>
  );
  const remove = async () => {
    await api.delete(`/people/${extension}`);
    notify(words.removed(shown?.name ?? extension));
    navigate("/directory");
  };
  return (
    <Page title={shown?.name ?? words.person} actions={actions}>
      <p>
        <Link to="/directory">{words.back}</Link>
      </p>
      <Show resource={person}>{(data) => <Shown person={data} reload={person.reload} />}</Show>
      {isLeaving && shown !== undefined && (
        <Confirm
          title={words.remove_title(shown.name)}
          confirm={words.remove}
          isDanger
          onConfirm={remove}
          onClose={() => setLeaving(false)}
        >
          <p>{words.remove_body}</p>
        </Confirm>
      )}
    </Page>
  );
}

function Shown({ person, reload }: { readonly person: Person; readonly reload: () => void }) {
  const words = useTexts(directory);
  const session = useSession();
  const isOwn = session.extension !== "" && session.extension === person.number;
  const may = (right: (typeof session.rights)[number]) => isOwn || session.rights.includes(right);
  const doing = usePresence([person.number]).of(person.number);
  return (
    <>
      <div className="person-head">
        <Face entry={person} isLarge />
        <Facts facts={factsOf(person, words, <DoingShown colleague={doing} />, doing !== undefined)} />
      </div>
      {may("people.change") && <PhotoButtons person={person} onChange={reload} />}
      {person.source === "plan" && session.rights.includes("people.change") && (
        <p className="muted">{words.from_plan}</p>
      )}
      <AbsencePart person={person} mayChange={may("services.change")} onChange={reload} />
      {may("services.change") && <Forwarding extension={person.number} title={words.settings} />}
      {may("devices.read") && <DevicesPart person={person} onChange={reload} />}
      {may("devices.read") && <PersonKeysPart extension={person.number} />}
    </>
  );
}

function factsOf(
  person: Person,
  words: (typeof directory)["fr"],
  state: React.ReactNode,
  isDoing: boolean,
): (readonly [string, React.ReactNode])[] {
  const facts: (readonly [string, React.ReactNode])[] = [
    [words.number, <PhoneNumber key="number" number={person.number} name={person.name} />],
  ];
  const number = (of: string) => <PhoneNumber number={of} name={person.name} />;
  if (person.public_number !== "") facts.push([words.public_number, number(person.public_number)]);
  if (person.mobile !== "") facts.push([words.mobile, number(person.mobile)]);
  if (isDoing) facts.push([words.state, state]);
  facts.push([words.site, person.site_title === "" ? words.no_site : person.site_title]);
  if (person.groups.length > 0) facts.push([words.groups, person.groups.join(", ")]);
  if (person.class_name !== "") facts.push([words.class_, person.class_name]);
  return facts;
}

function DevicesPart({ person, onChange }: { readonly person: Person; readonly onChange: () => void }) {
  const words = useTexts(directory);
  const [isAdding, setAdding] = useState(false);
  const mayAdd = useMay("devices.change") && person.source === "database";
  return (
    <Section
      title={words.devices}
      actions={mayAdd && <Button onPress={() => setAdding(true)}>{words.add_device}</Button>}
    >
      {person.devices.length === 0 ? (
        <p className="muted">{words.no_device}</p>
      ) : (
        <ul className="plain-list">
          {person.devices.map((device) => (
            <li key={device.sign_in}>
              <Link to={`/devices/${encodeURIComponent(device.sign_in)}`}>{device.sign_in}</Link>{" "}
              <span className="muted">{device.label}</span>
            </li>
          ))}
        </ul>
      )}
      {isAdding && (
        <AddDevice
          person={person}
          onClose={() => {
            setAdding(false);
            onChange();
          }}
        />
      )}
    </Section>
  );
}
