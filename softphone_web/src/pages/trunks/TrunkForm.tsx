/** A line's settings in a form: a draft of the plan is checked, what is wrong stands at its field, then it is compared. */
import { useState } from "react";

import { Checkbox, Field, FieldGroup, Select, TextArea } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { Show } from "../../components/Show";
import type { PageProps } from "../../pages";
import { trunks } from "../../language/trunks";
import { useTexts } from "../../language/texts";
import { ServerProblem, api } from "../../server/api";
import { useResource } from "../../server/resource";
import { navigate } from "../../shell/place";
import { ApplyDialog } from "../plan/ApplyDialog";
import "../plan/plan.css";
import { said } from "../plan/saying";
import type { Applied, Comparison } from "../plan/shapes";
import { settingsOf, textOf } from "./settings";
import type { Choices, Settings, TrunkDraft, TrunkList } from "./shapes";

export default function TrunkForm({ params }: PageProps) {
  const words = useTexts(trunks);
  const name = params["name"] ?? "";
  const isNew = name === "new";
  const list = useResource<TrunkList>("/trunks");
  const choices = useResource<Choices>("/trunks/choices");
  const title = isNew ? words.new_title : words.change_title(name);
  const back = isNew ? "/trunks" : `/trunks/${encodeURIComponent(name)}`;
  return (
    <Page title={title}>
      <p>
        <Link to={back}>{isNew ? words.back : name}</Link>
      </p>
      <Show resource={list}>
        {(known) => (
          <Show resource={choices}>
            {(offered) => {
              const trunk = known.items.find((one) => one.name === name);
              if (!isNew && trunk === undefined) return <p>{words.not_there}</p>;
              return (
                <Filled
                  name={isNew ? "" : name}
                  settings={trunk?.settings ?? {}}
                  version={known.version}
                  choices={offered}
                />
              );
            }}
          </Show>
        )}
      </Show>
    </Page>
  );
}

interface Drafted {
  readonly name: string;
  readonly settings: Settings;
  readonly comparison: Comparison;
}

function Filled({
  name,
  settings,
  version,
  choices,
}: {
  /** "" for a new one. */
  readonly name: string;
  readonly settings: Settings;
  readonly version: string;
  readonly choices: Choices;
}) {
  const words = useTexts(trunks);
  const [drafted, setDrafted] = useState<Drafted>();
  const draft = async (answers: Answers) => {
    const wanted = name === "" ? (answers["name"] ?? "").trim() : name;
    const written = settingsOf(answers, settings);
    const made = await api.post<TrunkDraft>("/trunks/draft", {
      name: wanted,
      settings: written,
      is_new: name === "",
    });
    refuseErrors(made.comparison);
    setDrafted({ name: wanted, settings: written, comparison: made.comparison });
  };
  const apply = ({ name: wanted, settings: written }: Drafted, reason: string) =>
    name === ""
      ? api.post<Applied>("/trunks", { name: wanted, settings: written, expected: version, reason })
      : api.put<Applied>(`/trunks/${encodeURIComponent(name)}`, { settings: written, expected: version, reason });
  return (
    <>
      <Form submit={words.save} onSubmit={draft} onCancel={() => navigate("/trunks")}>
        {name === "" && <Field name="name" label={words.field_name} hint={words.hint_name} isRequired maxLength={64} />}
        <Fields settings={settings} choices={choices} />
      </Form>
      {drafted !== undefined && (
        <ApplyDialog
          title={name === "" ? words.new_title : words.change_title(name)}
          reason={name === "" ? words.reason_add(drafted.name) : words.reason_change(name)}
          compare={() => Promise.resolve(drafted.comparison)}
          apply={(reason) => apply(drafted, reason)}
          onDone={() => {
            setDrafted(undefined);
            navigate(`/trunks/${encodeURIComponent(drafted.name)}`);
          }}
          onClose={() => setDrafted(undefined)}
        />
      )}
    </>
  );
}

/** What is wrong with the plan that would come of it stands at the field that it is about. */
function refuseErrors(comparison: Comparison): void {
  const errors = comparison.findings.filter((one) => one.severity === "error");
  const first = errors.find((one) => one.field !== "") ?? errors[0];
  if (first === undefined) return;
  throw new ServerProblem(422, `plan.${first.code}`, said(first.message), said(first.hint), first.field);
}

function Fields({ settings, choices }: { readonly settings: Settings; readonly choices: Choices }) {
  const words = useTexts(trunks);
  const of = (key: string) => ({ name: key, defaultValue: textOf(settings[key]) });
  const offered = (values: readonly string[]) => [
    { value: "", label: words.by_default },
    ...values.map((value) => ({ value, label: value })),
  ];
  return (
    <>
      <FieldGroup label={words.group_where}>
        <Field {...of("host")} label={words.host} hint={words.hint_host} isRequired />
        <Field {...of("port")} label={words.port} type="number" />
        <Select {...of("transport")} label={words.transport} options={offered(choices.transports)} />
        <TextArea {...of("proxy")} label={words.proxy} hint={words.hint_proxy} rows={2} />
      </FieldGroup>
      <FieldGroup label={words.group_who}>
        <Field {...of("username")} label={words.username} />
        <Field {...of("secret")} label={words.secret} hint={words.hint_secret} isWide />
        <Field {...of("account")} label={words.account} hint={words.hint_account} />
        <Checkbox name="register" label={words.register} isCheckedAtFirst={textOf(settings["register"]) === "true"} />
        <Field {...of("register_seconds")} label={words.register_seconds} type="number" />
        <TextArea {...of("sources")} label={words.sources} hint={words.hint_sources} rows={2} />
        <TextArea {...of("certificates")} label={words.certificates} hint={words.hint_certificates} rows={2} />
      </FieldGroup>
      <FieldGroup label={words.group_numbers}>
        <TextArea {...of("owns")} label={words.owns} hint={words.hint_owns} rows={4} />
        <TextArea {...of("presents")} label={words.presents} hint={words.hint_owns} rows={4} />
      </FieldGroup>
      <FieldGroup label={words.group_channels}>
        <Field {...of("channels")} label={words.channels_field} type="number" />
        <Field {...of("emergency_channels")} label={words.emergency_field} type="number" />
        <Field {...of("record")} label={words.record} hint={words.hint_record} />
      </FieldGroup>
      <FieldGroup label={words.group_told}>
        <Select {...of("numbers_out")} label={words.numbers_out} options={offered(choices.numbers_out)} />
        <Select {...of("numbers_in")} label={words.numbers_in} options={offered(choices.numbers_in)} />
        <Select {...of("caller_id_out")} label={words.caller_id_out} options={offered(choices.caller_id_out)} />
        <Select {...of("caller_id_in")} label={words.caller_id_in} options={offered(choices.caller_id_in)} />
        <Select {...of("srtp")} label={words.srtp} options={offered(choices.srtp)} />
        <TextArea
          {...of("options")}
          label={words.options}
          hint={words.hint_options(choices.options.join(", "))}
          rows={3}
        />
      </FieldGroup>
      <FieldGroup label={words.group_watch}>
        <Field {...of("supervise_seconds")} label={words.supervise_seconds} type="number" />
        <Field {...of("supervise_misses")} label={words.supervise_misses} type="number" />
      </FieldGroup>
    </>
  );
}
