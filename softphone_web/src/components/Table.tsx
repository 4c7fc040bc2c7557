/**
 * A table of anything up to tens of thousands of rows: filters as one types, sorts, and is a pile of cards where it is narrow.
 *
 *     <Table label={words.people} rows={people} rowKey={(person) => person.extension} columns={columns}
 *            isLoading={…} problem={…} empty={words.nobody_yet} />
 *
 * Rows are drawn in blocks of twenty-five, and only the blocks near what is seen; there are no blocks yet where nobody
 * has scrolled to. The arrow keys go from row to row.
 * What a column's `text` says is what is searched and sorted by; a column without it takes no part in that.
 */
import { type KeyboardEvent, type ReactNode, useDeferredValue, useId, useMemo, useRef, useState } from "react";

import { fold, matches, wordsOf } from "../language/folding";
import { amount } from "../language/moments";
import { shell } from "../language/shell";
import { useLanguage, useTexts } from "../language/texts";
import type { ServerProblem } from "../server/api";
import { useShortcut } from "../shell/shortcuts";
import { Block, ROWS_IN_A_BLOCK, Rest } from "./TableBlock";
import { Button } from "./Button";
import { Empty, Loading, Problem } from "./Problem";

const FIRST_BLOCKS = 4;

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ReactNode;
  /** The words to search and sort by. */
  readonly text?: (row: Row) => string;
  /** What to sort by instead, where words would be wrong: a number, a time. */
  readonly value?: (row: Row) => number;
  /** The one that names the row: read first, and the heading of its card. */
  readonly isMain?: boolean;
  readonly align?: "end";
}

export interface TableProps<Row> {
  readonly label: string;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  readonly isLoading?: boolean;
  readonly problem?: ServerProblem | undefined;
  readonly onRetry?: () => void;
  /** What to say when there are no rows at all. */
  readonly empty: ReactNode;
  /** false: no field to filter by, for a list that the server searches or a short one. */
  readonly hasFilter?: boolean;
  /** More fields beside the filter. */
  readonly filters?: ReactNode;
  /** Reads the rows that follow, where there are more. */
  readonly more?: (() => void) | undefined;
}

interface Order {
  readonly key: string;
  readonly isDown: boolean;
}

export function Table<Row>(props: TableProps<Row>) {
  const { columns, label, rows, rowKey, hasFilter = true } = props;
  const words = useTexts(shell);
  const filterId = useId();
  const field = useRef<HTMLInputElement>(null);
  const [query, setQuery] = useState("");
  const [order, setOrder] = useState<Order>();
  const [reach, setReach] = useState(FIRST_BLOCKS);
  const asked = useDeferredValue(query);
  const shown = useShown(rows, columns, asked, order);
  useShortcut(hasFilter ? "/" : "", words.key_filter, () => field.current?.focus());

  const sortBy = (key: string) =>
    setOrder((before) => ({ key, isDown: before?.key === key ? !before.isDown : false }));
  const count = Math.min(reach, Math.ceil(shown.length / ROWS_IN_A_BLOCK));
  const blocks = Array.from({ length: count }, (_, index) =>
    shown.slice(index * ROWS_IN_A_BLOCK, (index + 1) * ROWS_IN_A_BLOCK),
  );
  const isNothing = rows.length === 0;
  return (
    <div className="table-frame">
      {props.problem !== undefined && <Problem problem={props.problem} onRetry={props.onRetry} />}
      {(hasFilter && (!isNothing || query !== "")) || props.filters !== undefined ? (
        <div className="filters" role="search" aria-label={label}>
          {hasFilter && (
            <div className="filter">
              <label htmlFor={filterId}>{words.filter}</label>
              <input
                id={filterId}
                ref={field}
                type="search"
                value={query}
                maxLength={100}
                autoComplete="off"
                spellCheck={false}
                aria-keyshortcuts="/"
                onChange={(event) => setQuery(event.target.value)}
              />
            </div>
          )}
          {props.filters}
          <p className="count" role="status">
            {shown.length === rows.length
              ? words.total(amount(rows.length))
              : words.shown(amount(shown.length), amount(rows.length))}
          </p>
        </div>
      ) : null}
      {isNothing && props.isLoading === true && <Loading />}
      {isNothing && props.isLoading !== true && props.problem === undefined && <Empty>{props.empty}</Empty>}
      {!isNothing && shown.length === 0 && <Empty>{words.no_match(query)}</Empty>}
      {shown.length > 0 && (
        // The keys are those of its links and buttons: the table itself takes no focus.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
        <table role="table" aria-label={label} aria-rowcount={shown.length + 1} onKeyDown={walk}>
          <Head columns={columns} order={order} onSort={sortBy} />
          {blocks.map((block, index) => (
            <Block
              key={index}
              rows={block}
              first={index * ROWS_IN_A_BLOCK}
              columns={columns}
              rowKey={rowKey}
              isFirst={index === 0}
            />
          ))}
          {shown.length > count * ROWS_IN_A_BLOCK && (
            <Rest
              key={reach}
              count={shown.length - count * ROWS_IN_A_BLOCK}
              columns={columns.length}
              onNear={() => setReach(reach * 2)}
            />
          )}
        </table>
      )}
      {props.more !== undefined && (
        <div className="actions">
          <Button onPress={props.more}>{words.more}</Button>
        </div>
      )}
    </div>
  );
}

function Head<Row>({
  columns,
  order,
  onSort,
}: {
  readonly columns: readonly Column<Row>[];
  readonly order: Order | undefined;
  readonly onSort: (key: string) => void;
}) {
  const words = useTexts(shell);
  return (
    <thead role="rowgroup">
      <tr role="row" aria-rowindex={1}>
        {columns.map((column) => {
          const isSorted = order?.key === column.key;
          const direction = isSorted ? (order.isDown ? "descending" : "ascending") : undefined;
          const isSortable = column.text !== undefined || column.value !== undefined;
          return (
            <th key={column.key} role="columnheader" scope="col" aria-sort={direction} data-align={column.align}>
              {isSortable ? (
                <button type="button" title={words.sort_by(column.title)} onClick={() => onSort(column.key)}>
                  {column.title}
                  <span aria-hidden="true">{isSorted ? (order.isDown ? " ▾" : " ▴") : ""}</span>
                </button>
              ) : (
                column.title
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

/** The rows that match, in order. What is searched is folded once for each list, not at each key. */
function useShown<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  query: string,
  order: Order | undefined,
): readonly Row[] {
  const spoken = useLanguage();
  const keys = columns.map((column) => column.key).join();
  // What a column says depends on its key and on the language: its functions are new at each drawing.
  const folded = useMemo(
    () => rows.map((row) => fold(columns.map((column) => column.text?.(row) ?? "").join(" "))),
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [rows, keys, spoken],
  );
  const found = useMemo(() => {
    const asked = wordsOf(query);
    return asked.length === 0 ? rows : rows.filter((_, index) => matches(folded[index] ?? "", asked));
  }, [rows, folded, query]);
  return useMemo(() => {
    const column = columns.find((one) => one.key === order?.key);
    if (column === undefined || order === undefined) return found;
    const compare = comparison(column, spoken);
    return found.toSorted((a, b) => (order.isDown ? compare(b, a) : compare(a, b)));
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [found, order, keys, spoken]);
}

function comparison<Row>(column: Column<Row>, spoken: string): (a: Row, b: Row) => number {
  const { text, value } = column;
  if (value !== undefined) return (a, b) => value(a) - value(b);
  const collator = new Intl.Collator(spoken, { numeric: true, sensitivity: "base" });
  return (a, b) => collator.compare(text?.(a) ?? "", text?.(b) ?? "");
}

/** The arrow keys go to what can be pressed first in the next row, or in the one before. */
function walk(event: KeyboardEvent<HTMLTableElement>): void {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  const row = event.target instanceof Element ? event.target.closest("tr") : null;
  if (row === null) return;
  const all = [...event.currentTarget.querySelectorAll("tr")];
  const next = all[all.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
  const target = next?.querySelector<HTMLElement>("a, button");
  if (target === null || target === undefined) return;
  event.preventDefault();
  target.focus();
}
