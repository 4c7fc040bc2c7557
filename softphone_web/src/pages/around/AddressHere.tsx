/**
 * Where the browser is, for whoever would come to help: asked outside of our buildings, confirmed in two actions at
 * most, and shown from then on.
 */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { around } from "../../language/around";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { useSession } from "../../server/session";
import { inOneLine } from "../devices/shapes";
import { useHere } from "./here";

export function AddressHere() {
  const words = useTexts(around);
  const { extension } = useSession();
  const path = `/devices/${extension}-web`;
  const browser = useHere(extension);
  const action = useAction();
  const [isElsewhere, setElsewhere] = useState(false);
  const { device } = browser;
  if (device === undefined) return null;
  const here = device.addresses.find((one) => one.network === device.network);
  const last = here ?? device.addresses.toSorted((a, b) => b.said_at - a.said_at)[0];
  const confirm = async (address: Readonly<Record<string, string>>) => {
    await api.put(`${path}/address`, { ...address, network: device.network, confirm: true });
    notify(words.where_kept);
    setElsewhere(false);
    browser.reload();
  };
  if (!device.address_wanted && here !== undefined && !isElsewhere) {
    return (
      <p className="address-known">
        {words.where_known(inOneLine(here.address))}{" "}
        <Button kind="quiet" onPress={() => setElsewhere(true)}>
          {words.where_change}
        </Button>
      </p>
    );
  }
  return (
    <div className="panel address-wanted">
      <Section title={words.where_title}>
        <p>{words.where_lead}</p>
        {action.problem !== undefined && <Problem problem={action.problem} />}
        {last !== undefined && !isElsewhere ? (
          <div className="actions">
            <Button kind="main" isBusy={action.isBusy} onPress={() => void action.run(() => confirm(last.address))}>
              {words.where_same(inOneLine(last.address))}
            </Button>
            <Button onPress={() => setElsewhere(true)}>{words.where_other}</Button>
          </div>
        ) : (
          <Form submit={words.where_here} onSubmit={(answers) => confirm(said(answers))} isAlwaysFree>
            <div className="forward-form">
              <Field name="street" label={words.street} autoComplete="street-address" maxLength={120} isRequired />
              <Field name="postcode" label={words.postcode} autoComplete="postal-code" maxLength={20} />
              <Field name="city" label={words.city} autoComplete="address-level2" maxLength={120} isRequired />
            </div>
          </Form>
        )}
      </Section>
    </div>
  );
}

function said(answers: Answers): Record<string, string> {
  return Object.fromEntries(
    ["street", "postcode", "city"].map((part) => [part, (answers[part] ?? "").trim()] as const).filter(([, text]) => text !== ""),
  );
}
