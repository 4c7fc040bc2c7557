/** The fields of an account, to add one and to change one. */
import { Checkbox, Field, FieldGroup, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { accounts } from "../../language/accounts";
import { useTexts } from "../../language/texts";
import { type Account, ROLES, type Role } from "./account";

export interface AccountAnswers {
  readonly account: string;
  readonly name: string;
  readonly extension: string;
  readonly roles: readonly Role[];
  readonly language: string;
}

export function AccountForm({
  account,
  submit,
  onSubmit,
  onCancel,
}: {
  /** The one that is changed; undefined for a new one. */
  readonly account?: Account;
  readonly submit: string;
  readonly onSubmit: (answers: AccountAnswers) => Promise<unknown>;
  readonly onCancel: () => void;
}) {
  const words = useTexts(accounts);
  const send = (answers: Answers) =>
    onSubmit({
      account: answers["account"] ?? "",
      name: answers["name"] ?? "",
      extension: answers["extension"] ?? "",
      language: answers["language"] ?? "fr",
      roles: ROLES.filter((role) => answers[`role-${role}`] !== undefined),
    });
  return (
    <Form submit={submit} onSubmit={send} onCancel={onCancel}>
      {account === undefined && (
        <Field name="account" label={words.account} hint={words.account_hint} maxLength={64} isRequired />
      )}
      <Field name="name" label={words.name} defaultValue={account?.name ?? ""} isRequired />
      <Field
        name="extension"
        label={words.extension}
        hint={words.extension_hint}
        defaultValue={account?.extension ?? ""}
        inputMode="numeric"
        maxLength={15}
        isRequired={false}
      />
      <FieldGroup label={words.roles}>
        {ROLES.map((role) => (
          <Checkbox
            key={role}
            name={`role-${role}`}
            label={words[role]}
            hint={words[`${role}_hint`]}
            isCheckedAtFirst={account === undefined ? role === "agent" : account.roles.includes(role)}
          />
        ))}
      </FieldGroup>
      <Select
        name="language"
        label={words.language}
        defaultValue={account?.language ?? "fr"}
        options={[
          { value: "fr", label: words.french },
          { value: "en", label: words.english },
        ]}
      />
    </Form>
  );
}
