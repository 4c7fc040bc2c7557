/** One's own account: password, second step, where one is signed in, language and appearance. */
import { useState } from "react";

import { Select } from "../../components/Field";
import { Page, Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { account } from "../../language/account";
import { shell } from "../../language/shell";
import { LANGUAGES, speak, useLanguage, useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { APPEARANCES, look, useAppearance } from "../../shell/appearance";
import { PersonKeysPart } from "../phones/PersonKeysPart";
import "../signin/signin.css";
import { Factors } from "./Factors";
import { Notifications } from "./Notifications";
import { PasswordSection } from "./PasswordSection";
import { Proof } from "./Proof";
import { Sessions } from "./Sessions";
import type { OwnAccount } from "./own";

export default function Account() {
  const words = useTexts(account);
  const own = useResource<OwnAccount>("/account");
  // What waits for a proof of who one is: a change that the server has refused without one.
  const [waiting, setWaiting] = useState<() => void>();
  return (
    <Page title={words.title}>
      <Show resource={own}>
        {(data) => (
          <>
            <p className="lead">
              {words.lead(data.name, data.account)}
              {data.extension !== "" && words.extension(data.extension)}
            </p>
            <PasswordSection own={data} onWait={(go) => setWaiting(() => go)} onChanged={own.reload} />
            <Factors own={data} onWait={(go) => setWaiting(() => go)} onChanged={own.reload} />
            <Notifications hasNumber={data.extension !== ""} />
            <Sessions sessions={data.sessions} onChanged={own.reload} />
            {data.extension !== "" && <PersonKeysPart extension={data.extension} />}
            <Preferences />
            {waiting !== undefined && (
              <Proof
                own={data}
                onClose={() => setWaiting(undefined)}
                onProved={() => {
                  setWaiting(undefined);
                  waiting();
                }}
              />
            )}
          </>
        )}
      </Show>
    </Page>
  );
}

function Preferences() {
  const words = useTexts(account);
  const names = useTexts(shell);
  const spoken = useLanguage();
  const appearance = useAppearance();
  const named = { fr: names.french, en: names.english };
  return (
    <Section title={words.language_title}>
      <div className="form">
        <Select
          name="language"
          label={words.language}
          options={LANGUAGES.map((one) => ({ value: one, label: named[one] }))}
          value={spoken}
          onChange={(value) => {
            const chosen = LANGUAGES.find((one) => one === value) ?? spoken;
            speak(chosen);
            void api.patch("/account", { language: chosen });
          }}
        />
        <Select
          name="appearance"
          label={words.appearance}
          options={APPEARANCES.map((one) => ({ value: one, label: names[one] }))}
          value={appearance}
          onChange={(value) => look(APPEARANCES.find((one) => one === value) ?? appearance)}
        />
      </div>
    </Section>
  );
}
