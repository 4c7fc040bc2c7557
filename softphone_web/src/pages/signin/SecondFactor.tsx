/** The second step: a code of the application, a passkey, or a recovery code. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { Page } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { passkeysHere, signWithPasskey } from "../../server/passkeys";
import { useAction } from "../../server/resource";
import { type Session, readSession, signOut } from "../../server/session";

export function SecondFactor({ session }: { readonly session: Session }) {
  const words = useTexts(signin);
  const has = (factor: string) => session.factors.includes(factor);
  const [isRecovery, setRecovery] = useState(!has("totp") && !has("passkey"));
  const passkey = useAction();
  const canPasskey = has("passkey") && session.passkeys_work && passkeysHere();
  const byPasskey = () => passkey.run(() => showPasskey().then(readSession));
  const showsCode = has("totp") || isRecovery;
  return (
    <Page title={words.second_title} lead={words.signed_in_as(session.name)}>
      {passkey.problem !== undefined && <Problem problem={passkey.problem} />}
      {canPasskey && !isRecovery && (
        <div className="ways">
          <Button kind={showsCode ? "plain" : "main"} isBusy={passkey.isBusy} onPress={() => void byPasskey()}>
            {words.use_passkey}
          </Button>
        </div>
      )}
      {canPasskey && showsCode && !isRecovery && (
        <p className="or">
          <span>{words.or}</span>
        </p>
      )}
      {showsCode && (
        <Form
          key={isRecovery ? "recovery" : "code"}
          submit={words.confirm}
          onSubmit={(answers) => api.post("/session/second-factor", answers).then(readSession)}
        >
          <Field
            name="code"
            label={isRecovery ? words.recovery : words.code}
            hint={isRecovery ? words.recovery_hint : words.code_hint}
            autoComplete={isRecovery ? "off" : "one-time-code"}
            inputMode={isRecovery ? "text" : "numeric"}
            isRequired
          />
        </Form>
      )}
      <div className="ways quiet-ways">
        {has("recovery") && (has("totp") || canPasskey) && (
          <Button kind="quiet" onPress={() => setRecovery(!isRecovery)}>
            {isRecovery ? words.use_code : words.use_recovery}
          </Button>
        )}
        <Button kind="quiet" onPress={() => void signOut()}>
          {words.other_account}
        </Button>
      </div>
    </Page>
  );
}

/** Show one of the account's passkeys: as second factor, or to prove once more who one is. */
export async function showPasskey(): Promise<void> {
  const { options } = await api.post<{ options: Record<string, unknown> }>("/session/second-passkey/question");
  await api.post("/session/second-passkey", { credential: await signWithPasskey(options) });
}
