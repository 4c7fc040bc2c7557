/** A new password, typed twice. */
import { useState } from "react";

import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";

export function NewPasswordForm({
  onChosen,
  onCancel,
}: {
  readonly onChosen: (password: string) => Promise<unknown>;
  readonly onCancel?: () => void;
}) {
  const words = useTexts(signin);
  const [isDifferent, setDifferent] = useState(false);
  const choose = async (answers: Readonly<Record<string, string>>) => {
    const password = answers["password"] ?? "";
    setDifferent(password !== answers["again"]);
    if (password === answers["again"]) await onChosen(password);
  };
  return (
    <Form submit={words.choose} onSubmit={choose} {...(onCancel === undefined ? {} : { onCancel })}>
      <Field
        name="password"
        label={words.new_password}
        hint={words.password_hint}
        type="password"
        autoComplete="new-password"
        isRequired
      />
      <Field
        name="again"
        label={words.again}
        type="password"
        autoComplete="new-password"
        isRequired
        {...(isDifferent ? { error: words.different } : {})}
      />
    </Form>
  );
}
