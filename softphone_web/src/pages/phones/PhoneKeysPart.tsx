/** The keys of one telephone: those of its first line's person, or its own whoever it belongs to. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { phoneKeys } from "../../language/phone_keys";
import { phones } from "../../language/phones";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { KeysEditor, KeysShown } from "./KeyList";
import type { Key, PersonKeys } from "./key";
import type { Phone } from "./phone";

interface Part {
  readonly phone: Phone;
  readonly mayChange: boolean;
  readonly onChanged: () => void;
}

export function PhoneKeysPart({ phone, mayChange, onChanged }: Part) {
  const words = useTexts(phones);
  const extension = phone.extensions[0];
  const found = useResource<PersonKeys>(extension === undefined ? undefined : `/people/${extension}/keys`);
  return (
    <Section title={words.part_keys}>
      {extension === undefined ? (
        <p className="muted">{words.keys_nobody}</p>
      ) : (
        <Show resource={found}>{(person) => <Keys phone={phone} person={person} mayChange={mayChange} onChanged={onChanged} />}</Show>
      )}
    </Section>
  );
}

function Keys({ phone, person, mayChange, onChanged }: Part & { readonly person: PersonKeys }) {
  const words = useTexts(phones);
  const said = useTexts(phoneKeys);
  const general = useTexts(shell);
  const action = useAction();
  const [draft, setDraft] = useState<readonly Key[]>();
  const isOwn = phone.keys.length > 0;
  const own = phone.keys.map(([kind, number, label]) => ({ kind, number, label, name: nameOf(person, number) }));
  const keys = isOwn ? own : person.items;
  const put = (next: readonly Key[]) =>
    void action.run(async () => {
      await api.patch(`/phones/${phone.name}`, { keys: next.map(({ kind, number, label }) => [kind, number, label]) });
      setDraft(undefined);
      notify(said.saved);
      onChanged();
    });
  return (
    <>
      <p>
        {isOwn ? words.keys_own : words.keys_of(phone.names[0] ?? person.extension)}{" "}
        {!isOwn && <Link to={`/directory/${person.extension}`}>{mayChange ? words.keys_change : person.extension}</Link>}
      </p>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {draft === undefined ? (
        <KeysShown keys={keys} />
      ) : (
        <KeysEditor keys={draft} numbers={person.numbers} most={person.most} onChange={setDraft} />
      )}
      {mayChange && (
        <div className="actions phone-key-acts">
          {draft === undefined ? (
            <Button onPress={() => setDraft(keys)}>{isOwn ? said.choose : words.keys_make_own}</Button>
          ) : (
            <>
              <Button kind="main" isBusy={action.isBusy} onPress={() => put(draft)}>
                {said.save}
              </Button>
              <Button onPress={() => setDraft(undefined)}>{general.cancel}</Button>
            </>
          )}
          {draft === undefined && isOwn && <Button onPress={() => put([])}>{words.keys_person}</Button>}
        </div>
      )}
    </>
  );
}

/** Whom a number reaches, where the person's keys or the plan's services say it. */
function nameOf(person: PersonKeys, number: string): string {
  return [...person.items, ...person.planned, ...person.numbers].find((one) => one.number === number)?.name ?? "";
}
