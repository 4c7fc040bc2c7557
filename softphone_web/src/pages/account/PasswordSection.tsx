/** One's own password. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { account } from "../../language/account";
import { useTexts } from "../../language/texts";
import { ServerProblem, api } from "../../server/api";
import { readSession } from "../../server/session";
import { NewPasswordForm } from "../signin/NewPasswordForm";
import type { OwnAccount } from "./own";

export function PasswordSection({
  own,
  onWait,
  onChanged,
}: {
  readonly own: OwnAccount;
  /** A proof is wanted first; what to do then. */
  readonly onWait: (go: () => void) => void;
  readonly onChanged: () => void;
}) {
  const words = useTexts(account);
  const [isOpen, setOpen] = useState(false);
  const change = async (password: string) => {
    try {
      await api.put("/account/password", { password });
    } catch (failure) {
      if (!(failure instanceof ServerProblem && failure.code === "prove_again")) throw failure;
      onWait(() => void change(password));
      return;
    }
    await readSession();
    setOpen(false);
    notify(words.password_changed);
    onChanged();
  };
  const isElsewhere = own.source !== "local";
  return (
    <Section
      title={words.password}
      actions={
        !isOpen && !isElsewhere && <Button onPress={() => setOpen(true)}>{words.change_password}</Button>
      }
    >
      {isOpen ? (
        <NewPasswordForm onChosen={change} onCancel={() => setOpen(false)} />
      ) : (
        <p className="muted">
          {isElsewhere
            ? words.password_elsewhere
            : own.has_password
              ? words.password_set
              : words.password_none}
        </p>
      )}
    </Section>
  );
}
