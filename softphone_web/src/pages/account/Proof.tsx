/** Prove once more who one is, before what protects the account is changed: by password, code or passkey. */
import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { Problem } from "../../components/Problem";
import { account } from "../../language/account";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { passkeysHere } from "../../server/passkeys";
import { useAction } from "../../server/resource";
import { readSession, useSession } from "../../server/session";
import { showPasskey } from "../signin/SecondFactor";
import type { OwnAccount } from "./own";

export function Proof({
  own,
  onProved,
  onClose,
}: {
  readonly own: OwnAccount;
  readonly onProved: () => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(account);
  const session = useSession();
  const passkey = useAction();
  const hasPassword = own.has_password || own.source === "ldap";
  const canPasskey = own.passkeys.length > 0 && session.passkeys_work && passkeysHere();
  const byPasskey = () =>
    passkey.run(async () => {
      await showPasskey();
      await readSession();
      onProved();
    });
  return (
    <Dialog title={words.proof_title} onClose={onClose}>
      <p className="muted">{words.proof_lead}</p>
      {passkey.problem !== undefined && <Problem problem={passkey.problem} />}
      {hasPassword && (
        <Form submit={words.prove} onSubmit={(answers) => api.post("/session/proof", answers).then(onProved)}>
          <Field
            name="password"
            label={words.proof_password}
            type="password"
            autoComplete="current-password"
            maxLength={1000}
            isRequired
          />
        </Form>
      )}
      {!hasPassword && own.has_application && (
        <Form submit={words.prove} onSubmit={(answers) => api.post("/session/proof", answers).then(onProved)}>
          <Field name="code" label={words.proof_code} autoComplete="one-time-code" isRequired />
        </Form>
      )}
      {canPasskey && (
        <div className="ways">
          <Button isBusy={passkey.isBusy} onPress={() => void byPasskey()}>
            {words.proof_passkey}
          </Button>
        </div>
      )}
      {!hasPassword && !own.has_application && !canPasskey && <p>{words.sign_in_again}</p>}
    </Dialog>
  );
}
