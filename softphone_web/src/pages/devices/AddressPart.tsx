/** The addresses of one device outside of the sites: given, confirmed, forgotten. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { devices } from "../../language/devices";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { AddressForm } from "./AddressForm";
import { type Device, inOneLine } from "./shapes";

export function AddressPart({
  device,
  mayChange,
  onChange,
}: {
  readonly device: Device;
  readonly mayChange: boolean;
  readonly onChange: () => void;
}) {
  const words = useTexts(devices);
  const action = useAction();
  const [isSaying, setSaying] = useState(false);
  const maySay = mayChange && device.network !== "";
  if (!maySay && device.addresses.length === 0) return null;
  const forget = (network: string) => {
    const path = `/devices/${encodeURIComponent(device.sign_in)}/address`;
    void action.run(() => api.delete(path, { query: { network } })).then((isDone) => {
      if (!isDone) return;
      notify(words.address_forgotten);
      onChange();
    });
  };
  const done = () => {
    setSaying(false);
    onChange();
  };
  return (
    <Section
      title={words.addresses}
      actions={maySay && !isSaying && <Button onPress={() => setSaying(true)}>{words.say_address}</Button>}
    >
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {device.addresses.length === 0 && !isSaying && <p className="muted">{words.no_address}</p>}
      <ul className="plain-list">
        {device.addresses.map((said) => (
          <li key={said.network} className="actions">
            <span>
              {inOneLine(said.address)}{" "}
              <span className="muted">
                {words.network(said.network)}
                {!said.confirmed && `, ${words.not_confirmed}`}
              </span>
            </span>
            {mayChange && (
              <Button kind="quiet" onPress={() => forget(said.network)}>
                {words.forget}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {isSaying && <AddressForm device={device} onDone={done} onCancel={() => setSaying(false)} />}
    </Section>
  );
}
