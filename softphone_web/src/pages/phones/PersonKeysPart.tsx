/** The keys of somebody's desk telephones: the plan's, or chosen here by themselves or by an administrator. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm } from "../../components/Dialog";
import { useUnsaved } from "../../components/Form";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { Show } from "../../components/Show";
import { phoneKeys } from "../../language/phone_keys";
import { shell } from "../../language/shell";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction, useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { KeysEditor, KeysShown } from "./KeyList";
import type { Key, PersonKeys } from "./key";

export function PersonKeysPart({ extension }: { readonly extension: string }) {
  const words = useTexts(phoneKeys);
  const found = useResource<PersonKeys>(`/people/${extension}/keys`);
  return (
    <Section title={words.title}>
      <Show resource={found}>{(keys) => <Keys found={keys} onChanged={found.reload} />}</Show>
    </Section>
  );
}

function Keys({ found, onChanged }: { readonly found: PersonKeys; readonly onChanged: () => void }) {
  const words = useTexts(phoneKeys);
  const general = useTexts(shell);
  const [draft, setDraft] = useState<readonly Key[]>();
  const [isLeaving, setLeaving] = useState(false);
  const action = useAction();
  const path = `/people/${found.extension}/keys`;
  useUnsaved(draft !== undefined && draft !== found.items);
  const put = async (keys: readonly Key[] | null) => {
    await api.put(path, { items: keys?.map(({ kind, number, label }) => ({ kind, number, label })) ?? null });
    setDraft(undefined);
    notify(words.saved);
    onChanged();
  };
  return (
    <>
      <p>{found.chosen ? words.chosen : words.from_plan}</p>
      <Places found={found} count={(draft ?? found.items).length} />
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {draft === undefined ? (
        <KeysShown keys={found.items} />
      ) : (
        <KeysEditor keys={draft} numbers={found.numbers} most={found.most} onChange={setDraft} />
      )}
      <div className="actions phone-key-acts">
        {draft !== undefined && (
          <>
            <Button kind="main" isBusy={action.isBusy} onPress={() => void action.run(() => put(draft))}>
              {words.save}
            </Button>
            <Button onPress={() => setDraft(undefined)}>{general.cancel}</Button>
          </>
        )}
        {draft === undefined && found.may_change && <Button onPress={() => setDraft(found.items)}>{words.choose}</Button>}
        {draft === undefined && found.may_change && found.chosen && (
          <Button onPress={() => setLeaving(true)}>{words.plan_again}</Button>
        )}
        {!found.may_change && <p className="muted">{words.only_others}</p>}
      </div>
      {isLeaving && (
        <Confirm title={words.plan_again_title} confirm={words.plan_again} onConfirm={() => put(null)} onClose={() => setLeaving(false)}>
          <p>{words.plan_again_what}</p>
        </Confirm>
      )}
    </>
  );
}

/** On which telephones they are, and which of those have fewer keys. */
function Places({ found, count }: { readonly found: PersonKeys; readonly count: number }) {
  const words = useTexts(phoneKeys);
  const mayOpen = useMay("devices.read");
  if (found.phones.length === 0) return <p className="muted">{words.no_phone}</p>;
  return (
    <ul className="plain-list">
      {found.phones.map((one) => (
        <li key={one.phone}>
          {mayOpen ? <Link to={`/phones/${one.phone}`}>{one.model}</Link> : one.model}
          {one.own && <p className="hint">{words.own_phone(one.model)}</p>}
          {!one.own && one.keys < count && <p className="hint">{words.beyond(one.model, one.keys)}</p>}
        </li>
      ))}
    </ul>
  );
}
