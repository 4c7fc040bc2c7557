/** One telephone: what is known of it, its lines and keys, what can be done with it, and what it asked for. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Facts } from "../../components/Facts";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { State } from "../../components/State";
import { Time } from "../../components/Time";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import type { PageProps } from "../../pages";
import { useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { Care } from "./Care";
import { Lost } from "./Lost";
import { PhoneForm } from "./PhoneForm";
import { PhoneKeysPart } from "./PhoneKeysPart";
import { Requests } from "./Requests";
import { KINDS, type Phone, called, printed } from "./phone";
import "./phones.css";

export default function PhonePage({ params }: PageProps) {
  const words = useTexts(phones);
  const name = params["phone"] ?? "";
  const found = useResource<Phone>(`/phones/${encodeURIComponent(name)}`);
  const mayChange = useMay("devices.change");
  const [isChanging, setChanging] = useState(false);
  const phone = found.data;
  return (
    <Page
      title={phone === undefined ? printed(name) : called(phone)}
      actions={
        mayChange &&
        phone !== undefined && (
          <Button kind="main" onPress={() => setChanging(true)}>
            {words.change}
          </Button>
        )
      }
    >
      <p>
        <Link to="/phones">{words.back}</Link>
      </p>
      <Show resource={found}>{(shown) => <Parts phone={shown} mayChange={mayChange} onChanged={found.reload} />}</Show>
      {isChanging && phone !== undefined && (
        <PhoneForm
          phone={phone}
          onClose={() => setChanging(false)}
          onDone={() => {
            setChanging(false);
            notify(words.changed);
            found.reload();
          }}
        />
      )}
    </Page>
  );
}

function Parts({ phone, mayChange, onChanged }: { readonly phone: Phone; readonly mayChange: boolean; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  return (
    <>
      <Section title={words.part_known}>
        <Facts facts={useFacts(phone)} />
        {phone.invited && <p className="hint">{words.invited}</p>}
        {phone.rotates && <p className="hint">{words.rotated}</p>}
        {phone.old_tls && <p className="hint">{words.old}</p>}
      </Section>
      <Section title={words.part_lines}>
        <Lines phone={phone} />
      </Section>
      {mayChange && <Care phone={phone} onChanged={onChanged} />}
      <PhoneKeysPart phone={phone} mayChange={mayChange} onChanged={onChanged} />
      <Section title={words.part_history}>
        <Requests name={phone.name} />
      </Section>
      {mayChange && <Lost phone={phone} onChanged={onChanged} />}
    </>
  );
}

function useFacts(phone: Phone): (readonly [string, React.ReactNode])[] {
  const words = useTexts(phones);
  const time = (at: number) => (at === 0 ? words.never : <Time at={at} />);
  const energy = ({ screen_off_minutes: minutes, office_hours: days }: NonNullable<Phone["energy"]>) => {
    const hours = days.find((one) => one !== null);
    const open = hours ? words.energy_hours(...hours) : "";
    return minutes === 0 ? words.energy_on : [words.energy_off(minutes), open].filter(Boolean).join(" ");
  };
  return [
    [words.state, <State key="state" kind={KINDS[phone.stage]}>{words[`stage_${phone.stage}`]}</State>],
    [words.model, `${phone.maker} ${phone.model}`.trim()],
    [words.name, <code key="name">{printed(phone.name)}</code>],
    ...(phone.version === "" ? [] : [[words.version, phone.version] as const]),
    ...(phone.place === "" && phone.address === "" ? [] : [[words.site, phone.place === "" ? words.no_site : phone.place] as const]),
    ...(phone.address === "" ? [] : [[words.at, phone.address] as const]),
    ...(phone.energy === null ? [] : [[words.energy, energy(phone.energy)] as const]),
    [words.seen, time(phone.last_seen_at)],
    ...(phone.first_seen_at === 0 ? [] : [[words.first_seen, time(phone.first_seen_at)] as const]),
  ];
}

function Lines({ phone }: { readonly phone: Phone }) {
  const words = useTexts(phones);
  if (phone.lines.length === 0) return <p className="muted">{words.no_lines}</p>;
  return (
    <ol className="phone-keys">
      {phone.lines.map((line, index) => {
        const extension = phone.extensions[index] ?? "";
        return (
          <li key={line}>
            <div className="phone-key">
              <p>
                <span className="number" aria-hidden="true">
                  {index + 1}
                </span>{" "}
                <Link to={`/directory/${extension}`}>{phone.names[index] ?? extension}</Link> <span className="number">{extension}</span>
              </p>
              <p className="hint">
                {words.signs_in} <code>{line}</code>
              </p>
            </div>
          </li>
        );
      })}
    </ol>
  );
}
