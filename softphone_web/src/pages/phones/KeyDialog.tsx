/** One key: what it does, with which number, and what is on the screen beside it. */
import { useCallback, useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Field, Select } from "../../components/Field";
import { Form } from "../../components/Form";
import { phoneKeys } from "../../language/phone_keys";
import { useTexts } from "../../language/texts";
import { PersonField } from "./PersonField";
import { KEY_KINDS, type Key, type KeyKind, type Numbered, reached } from "./key";

const FIRST: Key = { kind: "lamp", number: "", label: "", name: "" };

export function KeyDialog({
  title,
  first = FIRST,
  numbers,
  onDone,
  onClose,
}: {
  readonly title: string;
  readonly first?: Key | undefined;
  readonly numbers: readonly Numbered[];
  readonly onDone: (key: Key) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(phoneKeys);
  const [key, setKey] = useState(first);
  const named = numbers.filter((one) => one.kind === key.kind);
  const setName = useCallback((name: string) => setKey((before) => ({ ...before, name })), []);
  const setKind = (kind: KeyKind) => {
    const one = numbers.find((each) => each.kind === kind);
    setKey({ ...key, kind, number: one?.number ?? "", name: one?.name ?? "" });
  };
  const isTyped = key.kind === "lamp" || key.kind === "speed_dial";
  const kinds = KEY_KINDS.filter((kind) => kind === "lamp" || kind === "speed_dial" || numbers.some((one) => one.kind === kind));
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        submit={words.done}
        onCancel={onClose}
        isAlwaysFree
        onSubmit={() => {
          onDone({ ...key, number: key.number.trim() });
          return Promise.resolve();
        }}
      >
        <Select
          name="kind"
          label={words.kind}
          value={key.kind}
          onChange={(kind) => setKind(KEY_KINDS.find((one) => one === kind) ?? "lamp")}
          options={kinds.map((kind) => ({ value: kind, label: words[kind] }))}
        />
        {isTyped ? (
          <PersonField
            name="number"
            label={key.kind === "lamp" ? words.person : words.number}
            hint={words.person_hint}
            value={key.number}
            onChange={(number) => setKey({ ...key, number })}
            onName={setName}
            isRequired
          />
        ) : (
          <Select
            name="number"
            label={words.number}
            value={key.number}
            onChange={(number) => setKey({ ...key, number, name: named.find((one) => one.number === number)?.name ?? "" })}
            options={named.map((one) => ({ value: one.number, label: `${one.name} (${one.number})` }))}
          />
        )}
        <Field
          name="label"
          label={words.label}
          hint={words.label_hint}
          value={key.label}
          maxLength={40}
          onChange={(label) => setKey({ ...key, label })}
        />
        {key.number !== "" && (
          <p className="key-does" role="status">
            {words[`does_${key.kind}`](reached(key))}
          </p>
        )}
      </Form>
    </Dialog>
  );
}
