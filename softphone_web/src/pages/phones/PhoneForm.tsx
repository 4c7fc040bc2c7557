/** A telephone that is to come, or one that changes: what it is, where, and whose. */
import { useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Checkbox, Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Show } from "../../components/Show";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import type { Choices } from "../directory/shapes";
import { LinesField } from "./LinesField";
import { type Brand, type Phone, printed } from "./phone";

interface Done {
  readonly onDone: (phone: Phone) => void;
  readonly onClose: () => void;
}

export function PhoneForm({ phone, onDone, onClose }: Done & { readonly phone?: Phone }) {
  const words = useTexts(phones);
  const brands = useResource<{ readonly items: readonly Brand[] }>("/phones/brands");
  const title = phone === undefined ? words.add : words.change_one(printed(phone.name));
  return (
    <Dialog title={title} onClose={onClose}>
      <Show resource={brands}>
        {({ items }) => <Asked brands={items} phone={phone} onDone={onDone} onClose={onClose} />}
      </Show>
    </Dialog>
  );
}

function Asked({ brands, phone, onDone, onClose }: Done & { readonly brands: readonly Brand[]; readonly phone: Phone | undefined }) {
  const words = useTexts(phones);
  const [extensions, setExtensions] = useState<readonly string[]>(phone?.extensions ?? []);
  const send = async (answers: Answers) => {
    const given = {
      brand: answers["brand"] ?? "",
      model: answers["model"] ?? "",
      label: answers["label"] ?? "",
      site: answers["site"] ?? "",
      extensions,
    };
    onDone(
      phone === undefined
        ? await api.post<Phone>("/phones", { ...given, mac: answers["mac"] ?? "" })
        : await api.patch<Phone>(`/phones/${phone.name}`, { ...given, old_tls: answers["old"] !== undefined }),
    );
  };
  return (
    <Form submit={phone === undefined ? words.add : words.save} onSubmit={send} onCancel={onClose}>
      {phone === undefined && <Field name="mac" label={words.name} hint={words.mac_hint} maxLength={20} isRequired />}
      <ModelFields brands={brands} brand={phone?.brand} model={phone?.model} />
      <LinesField first={phone?.extensions ?? []} onChange={setExtensions} />
      <Field name="label" label={words.label} hint={words.label_hint} maxLength={80} defaultValue={phone?.label ?? ""} />
      <SiteField site={phone?.site ?? ""} />
      {phone !== undefined && <Checkbox name="old" label={words.old} hint={words.old_hint} isCheckedAtFirst={phone.old_tls} />}
    </Form>
  );
}

/** Brand, then one of its models. */
export function ModelFields({
  brands,
  brand = "yealink",
  model = "",
}: {
  readonly brands: readonly Brand[];
  readonly brand?: string | undefined;
  readonly model?: string | undefined;
}) {
  const words = useTexts(phones);
  const [name, setName] = useState(brand);
  const models = Object.keys(brands.find((one) => one.brand === name)?.models ?? {});
  return (
    <>
      <Select
        name="brand"
        label={words.brand}
        value={name}
        onChange={setName}
        options={brands.map((one) => ({ value: one.brand, label: one.name }))}
      />
      <Select
        key={name}
        name="model"
        label={words.model}
        defaultValue={name === brand && models.includes(model) ? model : (models[0] ?? "")}
        options={models.map((one) => ({ value: one, label: one }))}
      />
    </>
  );
}

function SiteField({ site }: { readonly site: string }) {
  const words = useTexts(phones);
  const choices = useResource<Choices>("/directory/choices");
  const sites = choices.data?.sites ?? [];
  return (
    <Select
      key={sites.length}
      name="site"
      label={words.field_site_label}
      defaultValue={site}
      options={[{ value: "", label: words.field_of_person }, ...sites.map((one) => ({ value: one.name, label: one.title }))]}
    />
  );
}
