/** Another device for somebody, and what it signs in with. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { devices } from "../../language/devices";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { Credentials } from "./Credentials";
import type { Credentials as Known, Person } from "./shapes";

export const KINDS = ["desk", "app", "browser", "mobile"] as const;

export function AddDevice({ person, onClose }: { readonly person: Person; readonly onClose: () => void }) {
  const words = useTexts(devices);
  const general = useTexts(shell);
  const [made, setMade] = useState<Known>();
  const isFirst = person.devices.length === 0;
  const add = async (answers: Answers) => {
    const suffix = (answers["sign_in"] ?? "").trim();
    const sign_in = suffix === "" ? person.number : `${person.number}-${suffix}`;
    const asked = { sign_in, kind: answers["kind"] ?? "desk", label: (answers["label"] ?? "").trim() };
    setMade(await api.post<Known>("/devices", asked));
  };
  if (made !== undefined) {
    return (
      <Dialog title={words.added(made.sign_in)} onClose={onClose}>
        <Credentials known={made} />
        <div className="actions">
          <Button kind="main" onPress={onClose}>
            {general.close}
          </Button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={words.add_title} onClose={onClose}>
      <p>{words.add_lead(person.name)}</p>
      <Form submit={words.add_it} onSubmit={add} onCancel={onClose}>
        <Select
          name="kind"
          label={words.kind}
          defaultValue={isFirst ? "desk" : "app"}
          options={KINDS.map((kind) => ({ value: kind, label: words[`kind_${kind}`] }))}
        />
        <Field
          name="sign_in"
          label={words.suffix}
          hint={words.suffix_hint(person.number)}
          defaultValue={isFirst ? "" : "app"}
          isRequired={!isFirst}
          maxLength={48}
        />
        <Field name="label" label={words.label} hint={words.label_hint} isRequired={false} maxLength={80} />
      </Form>
    </Dialog>
  );
}
