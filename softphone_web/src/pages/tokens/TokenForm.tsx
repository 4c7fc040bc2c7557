/** A new token: its name, what it allows, how long, from where. Whoever makes one proves first who they are. */
import { useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Checkbox, Field, FieldGroup, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { useTexts } from "../../language/texts";
import { rights, tokens } from "../../language/tokens";
import { ServerProblem, api } from "../../server/api";
import { useResource } from "../../server/resource";
import { useSession } from "../../server/session";
import { Proof } from "../account/Proof";
import type { OwnAccount } from "../account/own";
import type { TokenMade } from "./token";

const DAY = 86_400;

export function TokenForm({
  onMade,
  onClose,
}: {
  readonly onMade: (token: TokenMade) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(tokens);
  const names = useTexts(rights);
  const session = useSession();
  const own = useResource<OwnAccount>("/account");
  const [waiting, setWaiting] = useState<() => void>();
  const make = async (answers: Answers) => {
    const scopes = session.rights.filter((right) => answers[`scope-${right}`] !== undefined);
    if (scopes.length === 0) throw new ServerProblem(422, "no_scope", words.rights);
    const wanted = {
      name: answers["name"] ?? "",
      ends_at: Math.floor(Date.now() / 1000) + Number(answers["days"]) * DAY,
      scopes,
      networks: (answers["networks"] ?? "").split(/[\s,]+/).filter(Boolean),
    };
    try {
      onMade(await api.post<TokenMade>("/tokens", wanted));
    } catch (failure) {
      if (!(failure instanceof ServerProblem) || failure.code !== "prove_again") throw failure;
      setWaiting(() => () => void make(answers));
    }
  };
  return (
    <>
      <Dialog title={words.add} onClose={onClose}>
        <Form submit={words.add} onSubmit={make} onCancel={onClose}>
          <Field name="name" label={words.name} hint={words.name_hint} maxLength={100} isRequired />
          <FieldGroup label={words.scopes}>
            {session.rights.map((right) => (
              <Checkbox key={right} name={`scope-${right}`} label={names[right]} />
            ))}
          </FieldGroup>
          <Select
            name="days"
            label={words.days}
            defaultValue="365"
            options={[
              { value: "30", label: words.one_month },
              { value: "183", label: words.six_months },
              { value: "365", label: words.one_year },
              { value: "730", label: words.two_years },
            ]}
          />
          <Field name="networks" label={words.networks} hint={words.networks_hint} isRequired={false} />
        </Form>
      </Dialog>
      {waiting !== undefined && own.data !== undefined && (
        <Proof
          own={own.data}
          onClose={() => setWaiting(undefined)}
          onProved={() => {
            setWaiting(undefined);
            waiting();
          }}
        />
      )}
    </>
  );
}
