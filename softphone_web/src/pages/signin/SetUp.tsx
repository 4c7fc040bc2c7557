/** A second factor, where the account's roles open nothing without one. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Page } from "../../components/Page";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { passkeysHere } from "../../server/passkeys";
import { type Session, readSession, signOut } from "../../server/session";
import { ApplicationSetUp, type FactorsChanged, PasskeySetUp, RecoveryCodes } from "./factors";

export function SetUp({ session }: { readonly session: Session }) {
  const words = useTexts(signin);
  const [way, setWay] = useState<"" | "application" | "passkey">("");
  const [codes, setCodes] = useState<readonly string[]>([]);
  const back = () => setWay("");
  const done = (answer: FactorsChanged) => {
    if (answer.recovery_codes.length > 0) setCodes(answer.recovery_codes);
    else void readSession();
  };
  if (codes.length > 0) {
    return (
      <Page key="codes" title={words.codes_title}>
        <RecoveryCodes codes={codes} onKept={() => void readSession()} />
      </Page>
    );
  }
  if (way === "application") {
    return (
      <Page key="application" title={words.by_application}>
        <ApplicationSetUp onDone={done} onCancel={back} />
      </Page>
    );
  }
  if (way === "passkey") {
    return (
      <Page key="passkey" title={words.by_key} lead={words.by_key_hint}>
        <PasskeySetUp onDone={done} onCancel={back} />
      </Page>
    );
  }
  const canPasskey = session.passkeys_work && passkeysHere();
  return (
    <Page key="choice" title={words.set_up_title} lead={words.set_up_lead}>
      <div className="choices">
        <div className="choice-card">
          <h2>{words.by_application}</h2>
          <p className="hint">{words.by_application_hint}</p>
          <Button kind="main" onPress={() => setWay("application")}>
            {words.choose_application}
          </Button>
        </div>
        <div className="choice-card">
          <h2>{words.by_key}</h2>
          <p className="hint">{canPasskey ? words.by_key_hint : words.no_passkey_here}</p>
          <Button kind="main" isDisabled={!canPasskey} onPress={() => setWay("passkey")}>
            {words.choose_key}
          </Button>
        </div>
      </div>
      <div className="ways quiet-ways">
        <Button kind="quiet" onPress={() => void signOut()}>
          {words.other_account}
        </Button>
      </div>
    </Page>
  );
}
