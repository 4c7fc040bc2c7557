/** One of the five questions, with what it asks for. */
import type { ReactNode } from "react";

import { Field, FieldGroup, Select } from "../../components/Field";
import type { Answers } from "../../components/Form";
import { firstRun } from "../../language/first_run";
import { useTexts } from "../../language/texts";

export function Question({
  name,
  answers,
  countries,
}: {
  readonly name: string;
  readonly answers: Answers;
  readonly countries: readonly string[];
}) {
  const words = useTexts(firstRun);
  const known = (answer: string) => answers[answer] ?? "";
  switch (name) {
    case "town":
      return (
        <Asked label={words.town}>
          <Field
            name="organization"
            label={words.organization}
            hint={words.organization_hint}
            defaultValue={known("organization")}
            autoComplete="organization"
            isRequired
          />
          <Select
            name="country"
            label={words.country}
            hint={words.country_hint}
            defaultValue={known("country")}
            options={countries.map((code) => ({ value: code, label: nameOf(code, words) }))}
          />
        </Asked>
      );
    case "address":
      return (
        <Asked label={words.address} lead={words.address_lead}>
          <Field name="site" label={words.site} defaultValue={known("site")} isRequired />
          <Field
            name="street"
            label={words.street}
            defaultValue={known("street")}
            autoComplete="street-address"
            isRequired
          />
          <Field
            name="postcode"
            label={words.postcode}
            defaultValue={known("postcode")}
            autoComplete="postal-code"
            inputMode="numeric"
          />
          <Field
            name="city"
            label={words.city}
            defaultValue={known("city")}
            autoComplete="address-level2"
            isRequired
          />
        </Asked>
      );
    case "line":
      return (
        <Asked label={words.line} lead={words.line_lead}>
          <Field
            name="operator"
            label={words.operator}
            hint={words.operator_hint}
            defaultValue={known("operator")}
            isRequired={false}
          />
          <Field
            name="main_number"
            label={words.main_number}
            hint={words.main_number_hint}
            defaultValue={known("main_number")}
            type="tel"
            isRequired={false}
          />
        </Asked>
      );
    case "numbers":
      return (
        <Asked label={words.numbers} lead={words.numbers_lead}>
          <Field name="first" label={words.first} defaultValue={known("first")} inputMode="numeric" isRequired />
          <Field name="last" label={words.last} defaultValue={known("last")} inputMode="numeric" isRequired />
        </Asked>
      );
    default:
      return (
        <Asked label={words.administrator} lead={words.administrator_lead(known("first"))}>
          <Field name="name" label={words.name} defaultValue={known("name")} autoComplete="name" isRequired />
          <Field
            name="account"
            label={words.account}
            hint={words.account_hint}
            defaultValue={known("account")}
            autoComplete="username"
            isRequired
          />
          <Field
            name="password"
            label={words.password}
            hint={words.password_hint}
            type="password"
            autoComplete="new-password"
            isRequired
          />
        </Asked>
      );
  }
}

function Asked({
  label,
  lead,
  children,
}: {
  readonly label: string;
  readonly lead?: string;
  readonly children: ReactNode;
}) {
  return (
    <FieldGroup label={label}>
      {lead !== undefined && <p className="muted">{lead}</p>}
      {children}
    </FieldGroup>
  );
}

function nameOf(code: string, words: { readonly FR: string; readonly BE: string }): string {
  return code === "FR" || code === "BE" ? words[code] : code;
}
