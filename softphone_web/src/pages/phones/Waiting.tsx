/** Devices that asked for settings and belong to nobody: what and where they are, why they got nothing; adopted or ignored. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { useSaying } from "../../components/Problem";
import { Show } from "../../components/Show";
import { Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { asProblem, useResource } from "../../server/resource";
import { useMay } from "../../server/session";
import { LinesField } from "./LinesField";
import { ModelFields } from "./PhoneForm";
import { useApproval } from "./approval";
import { type Brand, type Phone, isIgnored, isUnknown, printed } from "./phone";

const ADOPTION_MINUTES = 15;

interface Listed {
  readonly items: readonly Phone[];
  readonly isOpen: boolean;
  readonly onChanged: () => void;
}

export function Waiting({ items, isOpen, onChanged }: Listed) {
  const words = useTexts(phones);
  const mayChange = useMay("devices.change");
  const [adopted, setAdopted] = useState<Phone>();
  const [ignored, setIgnored] = useState<Phone>();
  return (
    <>
      <p>{words.waiting_lead}</p>
      <Table
        label={words.waiting_lead}
        rows={items.filter(isUnknown)}
        rowKey={(one) => one.name}
        empty={words.waiting_empty}
        columns={[
          { key: "name", title: words.name, isMain: true, text: (one) => `${printed(one.name)} ${one.name}`, cell: (one) => <code>{printed(one.name)}</code> },
          { key: "what", title: words.device, text: (one) => `${one.maker} ${one.model}`, cell: (one) => <What phone={one} /> },
          {
            key: "where",
            title: words.where,
            text: (one) => `${one.place} ${one.address}`,
            cell: (one) => (
              <>
                {one.place === "" ? words.no_site : one.place}
                <div className="muted">{one.address}</div>
              </>
            ),
          },
          { key: "seen", title: words.seen, value: (one) => one.last_seen_at, cell: (one) => <Time at={one.last_seen_at} /> },
          { key: "why", title: words.why, cell: (one) => <Because reason={one.refused} /> },
          ...(mayChange
            ? [
                {
                  key: "actions",
                  title: words.actions,
                  cell: (one: Phone) => (
                    <div className="actions">
                      <Button kind="main" label={words.adopt_one(printed(one.name))} onPress={() => setAdopted(one)}>
                        {words.adopt}
                      </Button>
                      <Button label={words.ignore_one(printed(one.name))} onPress={() => setIgnored(one)}>
                        {words.ignore}
                      </Button>
                    </div>
                  ),
                },
              ]
            : []),
        ]}
      />
      <Ignored items={items.filter(isIgnored)} mayChange={mayChange} onChanged={onChanged} />
      {adopted !== undefined && (
        <Adopt
          phone={adopted}
          isOpen={isOpen}
          onClose={() => setAdopted(undefined)}
          onDone={() => {
            setAdopted(undefined);
            notify(words.adopted(printed(adopted.name)));
            onChanged();
          }}
        />
      )}
      {ignored !== undefined && (
        <Confirm
          title={words.ignore_title}
          confirm={words.ignore}
          onClose={() => setIgnored(undefined)}
          onConfirm={async () => {
            await api.post(`/phones/${ignored.name}/block`);
            notify(words.ignored);
            onChanged();
          }}
        >
          <p>{words.ignore_what(printed(ignored.name))}</p>
        </Confirm>
      )}
    </>
  );
}

function What({ phone }: { readonly phone: Phone }) {
  const words = useTexts(phones);
  return (
    <>
      {phone.maker} {phone.model === "" ? <span className="muted">({words.unknown_model})</span> : phone.model}
      {phone.version !== "" && <div className="muted">{phone.version}</div>}
    </>
  );
}

/** Why something was refused, in words; the server's own for what it says of a file. */
export function Because({ reason }: { readonly reason: string }) {
  const words = useTexts(phones);
  const known = (words as Readonly<Record<string, unknown>>)[`because_${reason === "" ? "none" : reason}`];
  return typeof known === "string" ? known : <span lang="en">{reason}</span>;
}

/** Say what it is and whose, and let it in: one press. */
function Adopt({
  phone,
  isOpen,
  onDone,
  onClose,
}: {
  readonly phone: Phone;
  readonly isOpen: boolean;
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(phones);
  const brands = useResource<{ readonly items: readonly Brand[] }>("/phones/brands");
  const [extensions, setExtensions] = useState<readonly string[]>([]);
  const { approve, question } = useApproval(onDone, onClose);
  const send = async (answers: Answers) => {
    const { brand = phone.brand, model = phone.model, label = "" } = answers;
    await api.patch(`/phones/${phone.name}`, { brand, model, label, extensions });
    if (!isOpen) await api.put("/phones/window", { minutes: ADOPTION_MINUTES });
    await approve(phone);
  };
  const what = `${phone.maker} ${phone.model}`.trim();
  const isKnown = (all: readonly Brand[]) => all.some((one) => one.brand === phone.brand && phone.model in one.models);
  return (
    <Dialog title={words.adopt_one(printed(phone.name))} onClose={onClose}>
      <p>{words.adopt_lead(what, phone.address)}</p>
      <Show resource={brands}>
        {({ items }) => (
          <Form submit={words.adopt} onSubmit={send} onCancel={onClose}>
            <LinesField first={[]} onChange={setExtensions} />
            {!isKnown(items) && <ModelFields brands={items} brand={phone.brand} model={phone.model} />}
            <Field name="label" label={words.label} hint={words.label_hint} maxLength={80} />
            <p className="hint">{isOpen ? words.adopt_soon : words.adopt_opens}</p>
          </Form>
        )}
      </Show>
      {question}
    </Dialog>
  );
}

function Ignored({ items, mayChange, onChanged }: { readonly items: readonly Phone[]; readonly mayChange: boolean; readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const say = useSaying();
  if (items.length === 0) return null;
  const reconsider = async (phone: Phone) => {
    try {
      await api.post(`/phones/${phone.name}/unblock`);
      notify(words.reconsidered);
      onChanged();
    } catch (failure) {
      notify(say(asProblem(failure)), "bad");
    }
  };
  return (
    <Section title={words.ignored_title(items.length)}>
      <ul className="plain-list">
        {items.map((one) => (
          <li key={one.name} className="actions">
            <code>{printed(one.name)}</code> {one.maker} {one.model}
            {mayChange && (
              <Button label={words.reconsider_one(printed(one.name))} onPress={() => void reconsider(one)}>
                {words.reconsider}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}
