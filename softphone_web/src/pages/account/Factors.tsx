/** The second step of one's own account: application, passkeys, recovery codes. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Confirm, Dialog } from "../../components/Dialog";
import { Section } from "../../components/Page";
import { State } from "../../components/State";
import { Time } from "../../components/Time";
import { account } from "../../language/account";
import { amount } from "../../language/moments";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { ServerProblem, api } from "../../server/api";
import { passkeysHere } from "../../server/passkeys";
import { readSession, useSession } from "../../server/session";
import { ApplicationSetUp, type FactorsChanged, PasskeySetUp, RecoveryCodes, changed } from "../signin/factors";
import type { OwnAccount, OwnPasskey } from "./own";

type Open =
  | { readonly what: "application" | "passkey" | "take_application" | "new_codes" }
  | { readonly what: "take_key"; readonly key: OwnPasskey }
  | { readonly what: "codes"; readonly codes: readonly string[] };

export function Factors({
  own,
  onWait,
  onChanged,
}: {
  readonly own: OwnAccount;
  readonly onWait: (go: () => void) => void;
  readonly onChanged: () => void;
}) {
  const words = useTexts(account);
  const named = useTexts(signin);
  const session = useSession();
  const [open, setOpen] = useState<Open>();
  const canPasskey = session.passkeys_work && passkeysHere();
  const hasFactor = own.has_application || own.passkeys.length > 0;

  const close = () => setOpen(undefined);
  const done = (answer: FactorsChanged) => {
    void readSession();
    onChanged();
    setOpen(answer.recovery_codes.length > 0 ? { what: "codes", codes: answer.recovery_codes } : undefined);
  };
  /** Open one of the dialogs, once the server agrees that it is oneself. */
  const start = (next: Open) => {
    api.post("/session/fresh").then(
      () => setOpen(next),
      (failure: unknown) => {
        if (failure instanceof ServerProblem && failure.code === "prove_again") onWait(() => setOpen(next));
        else throw failure;
      },
    );
  };
  return (
    <Section title={words.factors}>
      <p className="muted">{own.needs_second_factor ? words.factors_needed : words.factors_wanted}</p>
      <ul className="settings">
        <li>
          <div>
            <h3>{words.application}</h3>
            <State kind={own.has_application ? "good" : "off"}>
              {own.has_application ? words.application_on : words.application_off}
            </State>
          </div>
          <div className="actions">
            <Button onPress={() => start({ what: "application" })}>
              {own.has_application ? words.replace : words.set_up}
            </Button>
            {own.has_application && (
              <Button onPress={() => start({ what: "take_application" })}>{words.take_away}</Button>
            )}
          </div>
        </li>
        <li>
          <div>
            <h3>{words.passkeys}</h3>
            {own.passkeys.length === 0 && <p className="muted">{words.no_passkey}</p>}
            {!canPasskey && <p className="muted">{named.no_passkey_here}</p>}
            <ul className="keys">
              {own.passkeys.map((key) => (
                <li key={key.id}>
                  <span>
                    <strong>{key.name}</strong>{" "}
                    <span className="muted">
                      {words.key_used}
                      {key.last_used_at === null ? words.never : <Time at={key.last_used_at} />}
                    </span>
                  </span>
                  <Button
                    kind="quiet"
                    label={words.take_key_label(key.name)}
                    onPress={() => start({ what: "take_key", key })}
                  >
                    {words.take_away}
                  </Button>
                </li>
              ))}
            </ul>
          </div>
          <div className="actions">
            {canPasskey && (
              <Button onPress={() => start({ what: "passkey" })}>{words.add_passkey}</Button>
            )}
          </div>
        </li>
        {hasFactor && (
          <li>
            <div>
              <h3>{words.codes}</h3>
              <p className="muted">{words.codes_left(amount(own.recovery_codes))}</p>
            </div>
            <div className="actions">
              <Button onPress={() => start({ what: "new_codes" })}>{words.new_codes}</Button>
            </div>
          </li>
        )}
      </ul>
      {open !== undefined && <Opened open={open} onDone={done} onClose={close} />}
    </Section>
  );
}

function Opened({
  open,
  onDone,
  onClose,
}: {
  readonly open: Open;
  readonly onDone: (answer: FactorsChanged) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(account);
  const named = useTexts(signin);
  // What `Confirm` closes after is opened again by `onDone`, where there are codes to show.
  const after = (answer: FactorsChanged) => setTimeout(() => onDone(changed(answer)));
  switch (open.what) {
    case "application":
      return (
        <Dialog title={named.by_application} onClose={onClose}>
          <ApplicationSetUp onDone={onDone} onCancel={onClose} />
        </Dialog>
      );
    case "passkey":
      return (
        <Dialog title={named.by_key} onClose={onClose}>
          <PasskeySetUp onDone={onDone} onCancel={onClose} />
        </Dialog>
      );
    case "codes":
      return (
        <Dialog title={named.codes_title} onClose={onClose}>
          <RecoveryCodes codes={open.codes} onKept={onClose} />
        </Dialog>
      );
    case "take_application":
      return (
        <Confirm
          title={words.take_application}
          confirm={words.take_away}
          isDanger
          onConfirm={() => api.delete<FactorsChanged>("/account/application").then(after)}
          onClose={onClose}
        >
          {words.take_application_what}
        </Confirm>
      );
    case "take_key":
      return (
        <Confirm
          title={words.take_key(open.key.name)}
          confirm={words.take_away}
          isDanger
          onConfirm={() =>
            api.delete<FactorsChanged>(`/account/passkeys/${encodeURIComponent(open.key.id)}`).then(after)
          }
          onClose={onClose}
        >
          {words.take_key_what}
        </Confirm>
      );
    case "new_codes":
      return (
        <Confirm
          title={words.new_codes_title}
          confirm={words.make}
          onConfirm={() => api.post<FactorsChanged>("/account/recovery-codes").then(after)}
          onClose={onClose}
        >
          {words.new_codes_what}
        </Confirm>
      );
  }
}
