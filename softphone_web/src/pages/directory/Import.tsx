/** People from a spreadsheet: a file is chosen, what it changes is shown, and then it is applied, or not. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Checkbox } from "../../components/Field";
import { FileButton } from "../../components/FileButton";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { Empty, Problem } from "../../components/Problem";
import { Table } from "../../components/Table";
import { devices } from "../../language/devices";
import { directory } from "../../language/directory";
import { problems } from "../../language/problems";
import { useLanguage, useTexts } from "../../language/texts";
import { address, api } from "../../server/api";
import { Said } from "../plan/Said";
import { useAction } from "../../server/resource";
import "./directory.css";
import type { Credentials } from "./shapes";

interface Somebody {
  readonly extension: string;
  readonly name: string;
}

interface Changed extends Somebody {
  readonly fields: readonly { readonly field: string; readonly before: string; readonly after: string }[];
}

interface Wrong {
  readonly line: number;
  readonly column: string;
  readonly detail: string;
  readonly mend: string;
  readonly code: string;
}

interface Preview {
  readonly added: readonly Somebody[];
  readonly changed: readonly Changed[];
  readonly removed: readonly Somebody[];
  readonly unchanged: number;
  readonly errors: readonly Wrong[];
  readonly told: readonly string[];
  readonly token: string;
}

interface Imported {
  readonly credentials: readonly Credentials[];
}

export default function Import() {
  const words = useTexts(directory);
  const spoken = useLanguage();
  const [file, setFile] = useState<File>();
  const [isRemoving, setRemoving] = useState(false);
  const [preview, setPreview] = useState<Preview>();
  const [done, setDone] = useState<Imported>();
  const action = useAction();

  const look = (chosen: File, remove: boolean) => {
    setPreview(undefined);
    void action.run(async () => {
      setPreview(await api.post<Preview>("/directory/import/preview", asText(chosen), { query: { remove } }));
    });
  };
  const apply = () => {
    if (file === undefined || preview === undefined) return;
    void action.run(async () => {
      const query = { token: preview.token, remove: isRemoving };
      setDone(await api.post<Imported>("/directory/import", asText(file), { query }));
    });
  };
  if (done !== undefined) return <Sheet credentials={done.credentials} />;
  return (
    <Page title={words.import_title} lead={words.import_lead}>
      <p>
        <Link to="/directory">{words.back}</Link> · <a href={address("/directory/export", { language: spoken })}>{words.import_template}</a>
      </p>
      <div className="form">
        <div className="actions">
          <FileButton
            kind={preview === undefined ? "main" : "plain"}
            accept=".csv,text/csv"
            label={words.import_file}
            onChoose={(chosen) => {
              setFile(chosen);
              look(chosen, isRemoving);
            }}
          >
            {words.import_choose}
          </FileButton>
          {file !== undefined && <span>{file.name}</span>}
        </div>
        <Checkbox
          name="remove"
          label={words.import_removing}
          hint={words.import_removing_hint}
          isChecked={isRemoving}
          onChange={(isChecked) => {
            setRemoving(isChecked);
            if (file !== undefined) look(file, isChecked);
          }}
        />
      </div>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {preview !== undefined && <Shown preview={preview} isBusy={action.isBusy} onApply={apply} />}
    </Page>
  );
}

function asText(file: File): Blob {
  return new Blob([file], { type: "text/csv" });
}

function Shown({
  preview,
  isBusy,
  onApply,
}: {
  readonly preview: Preview;
  readonly isBusy: boolean;
  readonly onApply: () => void;
}) {
  const words = useTexts(directory);
  if (preview.errors.length > 0) return <Errors errors={preview.errors} />;
  const { added, changed, removed } = preview;
  if (added.length + changed.length + removed.length === 0) return <Empty>{words.import_nothing}</Empty>;
  return (
    <>
      {preview.unchanged > 0 && <p role="status">{words.import_unchanged(preview.unchanged)}</p>}
      {added.length > 0 && (
        <Section title={words.import_added(added.length)}>
          <People people={added} label={words.import_added(added.length)} />
        </Section>
      )}
      {changed.length > 0 && (
        <Section title={words.import_changed(changed.length)}>
          <Differences people={changed} />
        </Section>
      )}
      {removed.length > 0 && (
        <Section title={words.import_removed(removed.length)}>
          <People people={removed} label={words.import_removed(removed.length)} />
        </Section>
      )}
      {preview.told.length > 0 && (
        <Section title={words.told}>
          <ul>
            {preview.told.map((sentence) => (
              <li key={sentence}>
                <Said text={sentence} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      <p className="actions apply">
        <Button kind={removed.length > 0 ? "danger" : "main"} isBusy={isBusy} onPress={onApply}>
          {words.import_go}
        </Button>
      </p>
    </>
  );
}

function Errors({ errors }: { readonly errors: readonly Wrong[] }) {
  const words = useTexts(directory);
  const said = useTexts(problems);
  const fieldName = useFieldName();
  const title = words.import_errors(errors.length);
  const what = (error: Wrong) => {
    const known = (said as Readonly<Record<string, unknown>>)[error.code];
    return typeof known === "string" && known !== "" ? known : <span lang="en">{error.detail}</span>;
  };
  return (
    <Section title={title}>
      <Table<Wrong>
        label={title}
        rows={errors}
        rowKey={(error) => `${error.line} ${error.column} ${error.detail}`}
        hasFilter={false}
        empty=""
        columns={[
          { key: "line", title: words.import_line, isMain: true, cell: (error) => error.line },
          { key: "column", title: words.import_field, cell: (error) => fieldName(error.column) },
          { key: "what", title: words.import_what, cell: what },
          { key: "mend", title: words.import_mend, cell: (error) => words.import_mended(error.mend) },
        ]}
      />
    </Section>
  );
}

/** What a column of the file is called. */
function useFieldName(): (column: string) => string {
  const words = useTexts(directory);
  const names: Readonly<Record<string, string>> = {
    extension: words.extension,
    name: words.field_name,
    class: words.field_class,
    site: words.field_site,
    groups: words.field_groups,
    mobile: words.field_mobile,
  };
  return (column) => names[column] ?? column;
}

function People({ people, label }: { readonly people: readonly Somebody[]; readonly label: string }) {
  const words = useTexts(directory);
  return (
    <Table<Somebody>
      label={label}
      rows={people}
      rowKey={(one) => one.extension}
      hasFilter={people.length > 20}
      empty=""
      columns={[
        { key: "number", title: words.number, isMain: true, cell: (one) => one.extension, text: (one) => one.extension },
        { key: "name", title: words.name, cell: (one) => one.name, text: (one) => one.name },
      ]}
    />
  );
}

function Differences({ people }: { readonly people: readonly Changed[] }) {
  const words = useTexts(directory);
  const fieldName = useFieldName();
  const rows = people.flatMap((one) => one.fields.map((field) => ({ ...field, ...one })));
  return (
    <Table<(typeof rows)[number]>
      label={words.import_changed(people.length)}
      rows={rows}
      rowKey={(row) => `${row.extension} ${row.field}`}
      hasFilter={rows.length > 20}
      empty=""
      columns={[
        {
          key: "who",
          title: words.person,
          isMain: true,
          cell: (row) => `${row.extension} ${row.name}`,
          text: (row) => `${row.extension} ${row.name}`,
        },
        { key: "field", title: words.import_field, cell: (row) => fieldName(row.field) },
        { key: "before", title: words.import_before, cell: (row) => row.before || "–" },
        { key: "after", title: words.import_after, cell: (row) => row.after || "–" },
      ]}
    />
  );
}

/** What the new devices sign in with: shown once, to be printed. */
function Sheet({ credentials }: { readonly credentials: readonly Credentials[] }) {
  const words = useTexts(directory);
  const of = useTexts(devices);
  return (
    <Page title={words.import_done}>
      <p>
        <Link to="/directory">{words.back}</Link>
      </p>
      {credentials.length > 0 && (
        <Section title={words.import_sheet} actions={<Button onPress={() => print()}>{words.print}</Button>}>
          <p>{words.import_sheet_lead}</p>
          <div className="sheet">
            {/* Not our Table: paper wants all rows, also those that aren't near what is seen. */}
            <table aria-label={words.import_sheet}>
              <thead>
                <tr>
                  <th scope="col">{of.user}</th>
                  <th scope="col">{of.password}</th>
                  <th scope="col">{of.server}</th>
                </tr>
              </thead>
              <tbody>
                {credentials.map((one) => (
                  <tr key={one.sign_in}>
                    <th scope="row">{one.sign_in}</th>
                    <td data-title={of.password}>
                      <code>{one.password}</code>
                    </td>
                    <td data-title={of.server}>
                      <code>{one.server}</code>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Section>
      )}
    </Page>
  );
}
