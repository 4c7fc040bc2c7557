/** Telephones from a spreadsheet: chosen or pasted, looked at line by line, and then done, or not. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { TextArea } from "../../components/Field";
import { FileButton } from "../../components/FileButton";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Empty, Problem } from "../../components/Problem";
import { State, type Kind } from "../../components/State";
import { Table } from "../../components/Table";
import { phones } from "../../language/phones";
import { problems } from "../../language/problems";
import { useTexts } from "../../language/texts";
import { address, api } from "../../server/api";
import { useAction } from "../../server/resource";
import { printed } from "./phone";

interface Line {
  readonly line: number;
  readonly phone: string;
  readonly what: "add" | "change" | "same";
  readonly model: string;
  readonly extensions: readonly string[];
  readonly names: readonly string[];
  readonly fields: readonly ("brand" | "model" | "extensions" | "label" | "site")[];
}

interface Wrong {
  readonly line: number;
  readonly column: string;
  readonly code: string;
  readonly detail: string;
}

interface Sheet {
  readonly items: readonly Line[];
  readonly errors: readonly Wrong[];
  readonly token: string;
}

const KINDS: Readonly<Record<Line["what"], Kind>> = { add: "good", change: "ringing", same: "off" };

export function Import({ onChanged }: { readonly onChanged: () => void }) {
  const words = useTexts(phones);
  const [text, setText] = useState("");
  const [sheet, setSheet] = useState<Sheet>();
  const action = useAction();
  const body = (of: string) => new Blob([of], { type: "text/csv" });
  const look = (of: string) => {
    setSheet(undefined);
    void action.run(async () => setSheet(await api.post<Sheet>("/phones/import/preview", body(of))));
  };
  const apply = (of: Sheet) =>
    void action.run(async () => {
      const query = { token: of.token };
      const done = await api.post<{ readonly added: number; readonly changed: number }>("/phones/import", body(text), { query });
      notify(words.import_done(done.added, done.changed));
      setSheet(undefined);
      setText("");
      onChanged();
    });
  return (
    <>
      <p>{words.import_lead}</p>
      <div className="form">
        <div className="actions">
          <FileButton
            accept=".csv,text/csv"
            label={words.import_file}
            onChoose={(file) =>
              void file.text().then((read) => {
                setText(read);
                look(read);
              })
            }
          >
            {words.import_choose}
          </FileButton>
          <a className="button" href={address("/phones/export")} download>
            {words.import_export}
          </a>
        </div>
        <TextArea
          name="lines"
          label={words.import_paste}
          hint={words.import_columns}
          rows={6}
          value={text}
          maxLength={2_000_000}
          onChange={(typed) => {
            setText(typed);
            setSheet(undefined);
          }}
        />
        <div className="actions">
          <Button kind={sheet === undefined ? "main" : "plain"} isBusy={action.isBusy} isDisabled={text.trim() === ""} onPress={() => look(text)}>
            {words.import_look}
          </Button>
        </div>
      </div>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {sheet !== undefined && <Looked sheet={sheet} isBusy={action.isBusy} onApply={() => apply(sheet)} />}
    </>
  );
}

function Looked({ sheet, isBusy, onApply }: { readonly sheet: Sheet; readonly isBusy: boolean; readonly onApply: () => void }) {
  const words = useTexts(phones);
  if (sheet.errors.length > 0) return <Errors errors={sheet.errors} />;
  const count = sheet.items.filter((one) => one.what !== "same").length;
  if (count === 0) return <Empty>{words.import_nothing}</Empty>;
  const said = { add: words.import_add, change: words.import_change, same: words.import_same };
  return (
    <Section title={words.import_lines}>
      <p role="status">{words.import_go(count)}</p>
      <Table<Line>
        label={words.import_lines}
        rows={sheet.items}
        rowKey={(one) => String(one.line)}
        hasFilter={sheet.items.length > 20}
        empty=""
        columns={[
          { key: "line", title: words.import_line, value: (one) => one.line, cell: (one) => one.line },
          { key: "name", title: words.name, isMain: true, text: (one) => printed(one.phone), cell: (one) => <code>{printed(one.phone)}</code> },
          { key: "model", title: words.model, text: (one) => one.model, cell: (one) => one.model },
          { key: "whose", title: words.whose, text: (one) => one.names.join(" "), cell: (one) => one.names.join(", ") || words.nobody },
          {
            key: "what",
            title: words.import_what,
            text: (one) => said[one.what],
            cell: (one) => (
              <>
                <State kind={KINDS[one.what]}>{said[one.what]}</State>
                {one.what === "change" && <div className="muted">{one.fields.map((field) => words[`field_${field}`]).join(", ")}</div>}
              </>
            ),
          },
        ]}
      />
      <p className="actions apply">
        <Button kind="main" isBusy={isBusy} onPress={onApply}>
          {words.import_apply}
        </Button>
      </p>
    </Section>
  );
}

function Errors({ errors }: { readonly errors: readonly Wrong[] }) {
  const words = useTexts(phones);
  const said = useTexts(problems);
  const what = (error: Wrong) => {
    const known = (said as Readonly<Record<string, unknown>>)[error.code];
    return typeof known === "string" && known !== "" ? known : <span lang="en">{error.detail}</span>;
  };
  return (
    <div role="alert">
      <Section title={words.import_errors(errors.length)}>
        <Table<Wrong>
          label={words.import_errors(errors.length)}
          rows={errors}
          rowKey={(one) => `${one.line} ${one.column}`}
          hasFilter={false}
          empty=""
          columns={[
            { key: "line", title: words.import_line, isMain: true, cell: (one) => one.line },
            { key: "column", title: words.import_column, cell: (one) => <code>{one.column}</code> },
            { key: "wrong", title: words.import_wrong, cell: what },
          ]}
        />
      </Section>
    </div>
  );
}
