/** Adding somebody, or changing what is said of them. */
import { useState } from "react";

import { Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page } from "../../components/Page";
import { Show } from "../../components/Show";
import type { PageProps } from "../../pages";
import { directory } from "../../language/directory";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { Said } from "../plan/Said";
import { useResource } from "../../server/resource";
import { navigate } from "../../shell/place";
import { Credentials } from "./Credentials";
import type { Choices, Credentials as Known, Person } from "./shapes";

interface Done {
  readonly person: Person;
  readonly told: readonly string[];
  readonly credentials: Known;
}

export default function PersonForm({ params }: PageProps) {
  const words = useTexts(directory);
  const extension = params["extension"] ?? "";
  const isNew = extension === "";
  const choices = useResource<Choices>("/directory/choices");
  const person = useResource<Person>(isNew ? undefined : `/people/${encodeURIComponent(extension)}`);
  const [done, setDone] = useState<Done>();
  const title = isNew ? words.new_title : words.change_title(person.data?.name ?? extension);
  if (done !== undefined) return <Added done={done} />;
  return (
    <Page title={title}>
      <p>
        <Link to={isNew ? "/directory" : `/directory/${extension}`}>
          {isNew ? words.back : (person.data?.name ?? extension)}
        </Link>
      </p>
      <Show resource={choices}>
        {(offered) =>
          isNew ? (
            <Fields choices={offered} onAdded={setDone} />
          ) : (
            <Show resource={person}>{(known) => <Fields choices={offered} person={known} onAdded={setDone} />}</Show>
          )
        }
      </Show>
    </Page>
  );
}

function Fields({
  choices,
  person,
  onAdded,
}: {
  readonly choices: Choices;
  readonly person?: Person;
  readonly onAdded: (done: Done) => void;
}) {
  const words = useTexts(directory);
  const send = async (answers: Answers) => {
    const asked = {
      name: (answers["name"] ?? "").trim(),
      class_name: answers["class_name"] ?? "",
      site: answers["site"] ?? "",
      groups: (answers["groups"] ?? "").split(",").map((group) => group.trim()).filter(Boolean),
      mobile: (answers["mobile"] ?? "").replace(/[ .]/g, ""),
    };
    if (person === undefined) {
      onAdded(await api.post<Done>("/people", { ...asked, extension: (answers["extension"] ?? "").trim() }));
      return;
    }
    await api.patch(`/people/${person.number}`, asked);
    notify(words.saved);
    queueMicrotask(() => navigate(`/directory/${person.number}`));
  };
  const ranges = choices.ranges.map((range) => range.numbers).join(", ");
  return (
    <Form submit={person === undefined ? words.add_it : words.save} onSubmit={send} isAlwaysFree>
      {person === undefined && (
        <Field
          name="extension"
          label={words.extension}
          hint={ranges === "" ? undefined : words.ranges(ranges)}
          inputMode="numeric"
          maxLength={15}
          isRequired
        />
      )}
      <Field name="name" label={words.field_name} defaultValue={person?.name ?? ""} isRequired />
      <Select
        name="class_name"
        label={words.field_class}
        defaultValue={person?.class_name ?? choices.classes[0] ?? ""}
        options={choices.classes.map((name) => ({ value: name, label: name }))}
      />
      <Select
        name="site"
        label={words.field_site}
        defaultValue={person?.site ?? ""}
        options={[
          { value: "", label: words.no_site },
          ...choices.sites.map((site) => ({ value: site.name, label: site.title })),
        ]}
      />
      <Field
        name="groups"
        label={words.field_groups}
        hint={words.groups_hint}
        defaultValue={person?.groups.join(", ") ?? ""}
        isRequired={false}
      />
      <Field
        name="mobile"
        type="tel"
        label={words.field_mobile}
        hint={words.mobile_hint}
        defaultValue={person?.mobile ?? ""}
        isRequired={false}
      />
    </Form>
  );
}

function Added({ done }: { readonly done: Done }) {
  const words = useTexts(directory);
  return (
    <Page title={words.added(done.person.name)}>
      <Credentials known={done.credentials} />
      {done.told.length > 0 && (
        <>
          <h2>{words.told}</h2>
          <ul>
            {done.told.map((sentence) => (
              <li key={sentence}>
                <Said text={sentence} />
              </li>
            ))}
          </ul>
        </>
      )}
      <p className="actions">
        <Link to={`/directory/${done.person.number}`} className="button main">
          {words.open_person}
        </Link>
        <Link to="/directory" className="button">
          {words.back}
        </Link>
      </p>
    </Page>
  );
}
