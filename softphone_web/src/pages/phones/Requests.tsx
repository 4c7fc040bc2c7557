/** Who asked for settings last, and what they got; of all telephones, or of one. */
import { State, type Kind } from "../../components/State";
import { type Column, Table } from "../../components/Table";
import { Time } from "../../components/Time";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { useList } from "../../server/resource";
import { Because } from "./Waiting";
import { type Fetch, printed } from "./phone";

const KINDS: Readonly<Record<Fetch["outcome"], Kind>> = { served: "good", pointer: "off", isolated: "warning", refused: "bad" };

export function Requests({ name = "" }: { readonly name?: string }) {
  const words = useTexts(phones);
  const list = useList<Fetch>(`/phones/fetches?limit=${name === "" ? 200 : 30}${name === "" ? "" : `&name=${name}`}`);
  const device: readonly Column<Fetch>[] =
    name === ""
      ? [{ key: "name", title: words.name, text: (one) => `${one.name} ${printed(one.name)}`, cell: (one) => printed(one.name) }]
      : [];
  return (
    <Table
      label={name === "" ? words.tab_fetches : words.part_history}
      rows={list.items}
      rowKey={(one) => `${String(one.at)} ${one.address} ${one.path}`}
      isLoading={list.isLoading}
      problem={list.problem}
      onRetry={list.reload}
      hasFilter={name === ""}
      empty={name === "" ? words.fetches_empty : words.history_empty}
      columns={[
        { key: "file", title: words.file, isMain: true, text: (one) => one.path, cell: (one) => <code>{one.path}</code> },
        { key: "when", title: words.when, value: (one) => one.at, cell: (one) => <Time at={one.at} /> },
        ...device,
        { key: "from", title: words.from, text: (one) => one.address, cell: (one) => `${one.address} (${one.transport.toUpperCase()})` },
        {
          key: "got",
          title: words.got,
          text: (one) => words[one.outcome],
          cell: (one) => (
            <>
              <State kind={KINDS[one.outcome]}>{words[one.outcome]}</State>
              {one.reason !== "" && (
                <div className="muted">
                  <Because reason={one.reason} />
                </div>
              )}
            </>
          ),
        },
      ]}
    />
  );
}
