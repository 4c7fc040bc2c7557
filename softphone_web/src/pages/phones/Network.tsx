/** What the LAN's DHCP server is told, so that telephones find their settings. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Select } from "../../components/Field";
import { notify } from "../../components/Notices";
import { Problem } from "../../components/Problem";
import { Said } from "../../components/Said";
import { Show } from "../../components/Show";
import { State, type Kind } from "../../components/State";
import { phones } from "../../language/phones";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { inFrench } from "./findings";

const SERVERS = [
  { value: "dnsmasq", label: "dnsmasq" },
  { value: "kea", label: "Kea" },
  { value: "windows", label: "Windows Server" },
  { value: "cisco", label: "Cisco IOS" },
];

export function Network() {
  const words = useTexts(phones);
  const mayChange = useMay("devices.change");
  const [server, setServer] = useState("dnsmasq");
  const found = useResource<{ readonly url: string; readonly lines: string }>(`/phones/dhcp?server=${server}`);
  return (
    <>
      <p>{words.network_lead}</p>
      <Show resource={found}>
        {({ url }) => (
          <p className="actions">
            {words.address_of_settings} <code>{url}</code> <Copy text={url}>{words.copy_address}</Copy>
          </p>
        )}
      </Show>
      <Select name="server" label={words.server} value={server} onChange={setServer} options={SERVERS} />
      <Show resource={found}>
        {({ lines }) => (
          <figure className="phone-lines">
            <figcaption className="actions">
              {words.lines} <Copy text={lines}>{words.copy_lines}</Copy>
            </figcaption>
            <pre>{lines}</pre>
          </figure>
        )}
      </Show>
      {mayChange && <Check />}
    </>
  );
}

interface Finding {
  readonly code: string;
  readonly severity: "error" | "warning" | "note";
  readonly message: string;
  readonly hint: string;
}

const SHAPES: Readonly<Record<Finding["severity"], Kind>> = { error: "bad", warning: "warning", note: "off" };

/** What would keep telephones from their settings, looked at now. */
function Check() {
  const words = useTexts(phones);
  const action = useAction();
  const [found, setFound] = useState<readonly Finding[]>();
  const look = () =>
    void action.run(async () => setFound((await api.post<{ readonly items: readonly Finding[] }>("/phones/check")).items));
  return (
    <>
      <p className="actions">
        <Button isBusy={action.isBusy} onPress={look}>
          {words.check}
        </Button>
        <span className="hint">{words.check_lead}</span>
      </p>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div role="status">
        {found !== undefined && <p>{found.length === 0 ? <State kind="good">{words.check_fine}</State> : words.check_found(found.length)}</p>}
        {found !== undefined && found.length > 0 && (
          <ul className="plain-list">
            {found.map((one) => (
              <li key={`${one.code} ${one.message}`}>
                <State kind={SHAPES[one.severity]}>
                  <Said text={one.message} inFrench={inFrench} />
                </State>
                {one.hint !== "" && (
                  <p className="hint">
                    <Said text={one.hint} inFrench={inFrench} />
                  </p>
                )}
              </li>
            ))}
          </ul>
        )}
      </div>
    </>
  );
}

function Copy({ text, children }: { readonly text: string; readonly children: string }) {
  const words = useTexts(shell);
  // Over plain HTTP on another machine there is no clipboard: the words are there to be selected.
  if (!("clipboard" in navigator)) return null;
  return <Button onPress={() => void navigator.clipboard.writeText(text).then(() => notify(words.copied))}>{children}</Button>;
}
