/**
 * The messages of a call as a ladder: a column for each party, an arrow for each message. It is a list of sentences:
 * arrows are drawn beside them where there is room, and a message opens where one may read it.
 */
import { type CSSProperties, useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Show } from "../../components/Show";
import { history } from "../../language/history";
import { second } from "../../language/moments";
import { language, useTexts } from "../../language/texts";
import { useResource } from "../../server/resource";
import "./history.css";
import type { LadderShown, Row } from "./shapes";

export function Ladder({ call }: { readonly call: string }) {
  const words = useTexts(history);
  const ladder = useResource<LadderShown>(`/history/${call}/ladder`);
  return (
    <Show resource={ladder}>
      {(shown) =>
        shown.rows.length === 0 ? <p className="muted">{words.ladder_gone}</p> : <Drawn ladder={shown} />
      }
    </Show>
  );
}

function Drawn({ ladder }: { readonly ladder: LadderShown }) {
  const words = useTexts(history);
  const [opened, setOpened] = useState<Row>();
  const count = ladder.columns.length;
  const meaning = useMeaning();
  return (
    <>
      <p className="muted">
        {words.ladder_lead(ladder.rows.length)} {!ladder.is_whole && words.ladder_partial}
      </p>
      <div className="ladder" style={{ "--columns": count } as CSSProperties}>
        <div className="ladder-heads" aria-hidden="true">
          {ladder.columns.map((column) => (
            <div key={column.name} data-kind={column.kind}>
              <strong>{column.person === "" ? column.name : column.person}</strong>
              {column.person !== "" && <span className="muted">{column.name}</span>}
            </div>
          ))}
        </div>
        <ol>
          {ladder.rows.map((row, index) => (
            <li key={index}>
              <Rung row={row} ladder={ladder} meaning={meaning(row)} onOpen={() => setOpened(row)} />
            </li>
          ))}
        </ol>
      </div>
      {opened !== undefined && (
        <Dialog title={words.message_title(opened.label)} onClose={() => setOpened(undefined)}>
          <div className="dialog-body">
            <p className="muted">
              {second(opened.at)} · {opened.transport} · {meaning(opened)}
            </p>
            {/* What is wider than the dialog is reached by the arrow keys. */}
            {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
            <pre className="ladder-text" tabIndex={0} role="group" lang="en" aria-label={opened.label}>
              {opened.text}
            </pre>
            <p className="hint">{words.blanked}</p>
          </div>
        </Dialog>
      )}
    </>
  );
}

function Rung({
  row,
  ladder,
  meaning,
  onOpen,
}: {
  readonly row: Row;
  readonly ladder: LadderShown;
  readonly meaning: string;
  readonly onOpen: () => void;
}) {
  const words = useTexts(history);
  const name = (place: number) => {
    const column = ladder.columns[place];
    return column === undefined ? "" : column.person === "" ? column.name : column.person;
  };
  const first = ladder.rows[0]?.at ?? row.at;
  const isLeftward = row.receiver < row.sender;
  const place = {
    "--begins": Math.min(row.sender, row.receiver),
    "--spans": Math.abs(row.receiver - row.sender),
  } as CSSProperties;
  const kind = row.status >= 400 ? "refusal" : row.status >= 200 ? "final" : row.status > 0 ? "provisional" : "request";
  const content = (
    <>
      <span className="rung-time number" aria-hidden="true">
        {after(row.at - first)}
      </span>
      <span className="rung-sentence">
        {words.sentence(second(row.at), name(row.sender), name(row.receiver), `${row.label} (${meaning})`)}
      </span>
      <span className="rung-lane" aria-hidden="true">
        <span className={`rung-arrow ${kind} ${isLeftward ? "leftward" : "rightward"}`} style={place}>
          <span>
            <b>{row.label}</b> {meaning}
          </span>
        </span>
      </span>
    </>
  );
  if (row.text === "") return <div className="rung">{content}</div>;
  return (
    <button type="button" className="rung" onClick={onOpen}>
      {content}
    </button>
  );
}

/** Seconds since the first message, to the thousandth. */
function after(seconds: number): string {
  return new Intl.NumberFormat(language(), { minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(seconds);
}

/** What a message means, for who doesn't read SIP. */
function useMeaning(): (row: Row) => string {
  const words = useTexts(history);
  return (row) => {
    const known = words as Readonly<Record<string, unknown>>;
    const said = known[row.status > 0 ? `meaning_${row.status}` : `meaning_${row.method}`];
    const means = typeof said === "string" ? said : row.status > 0 ? row.phrase : "";
    const mark =
      row.mark === "transfer" ? words.transfer_to(row.about) : row.mark === "" ? "" : words[row.mark];
    const why = row.mark === "" && (row.status >= 300 || ["BYE", "CANCEL"].includes(row.method)) ? row.about : "";
    return [mark === "" ? means : mark, why, row.again ? words.again : ""].filter(Boolean).join(", ");
  };
}
