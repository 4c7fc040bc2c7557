/** Twenty-five rows of a table: drawn while they are near what is seen, and a space of their height otherwise. */
import { useEffect, useRef, useState } from "react";

import type { Column } from "./Table";

export const ROWS_IN_A_BLOCK = 25;
const GUESSED_ROW_PX = 41;
const NEAR = "600px 0px";

const shownBy = new WeakMap<Element, (isNear: boolean, height: number) => void>();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      shownBy.get(entry.target)?.(entry.isIntersecting, entry.boundingClientRect.height);
    }
  },
  { rootMargin: NEAR },
);

export function Block<Row>({
  rows,
  first,
  columns,
  rowKey,
  isFirst,
}: {
  readonly rows: readonly Row[];
  /** The place of its first row among all, from 0. */
  readonly first: number;
  readonly columns: readonly Column<Row>[];
  readonly rowKey: (row: Row) => string;
  readonly isFirst: boolean;
}) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [isNear, setNear] = useState(isFirst);
  const [height, setHeight] = useState(0);
  useEffect(() => {
    const element = body.current;
    // The first rows are there wherever the table is: who reads down a page by ear finds them without scrolling.
    if (element === null || isFirst) return undefined;
    shownBy.set(element, (near, now) => {
      // A block that holds the focus stays: its reader would be thrown out of the table.
      if (!near && element.contains(document.activeElement)) return;
      if (!near && now > 0) setHeight(now);
      setNear(near);
    });
    observer.observe(element);
    return () => observer.unobserve(element);
  }, [isFirst]);
  if (!isNear && !isFirst) {
    const known = height > 0 ? height : rows.length * GUESSED_ROW_PX;
    return (
      <tbody ref={body} role="rowgroup" aria-hidden="true">
        <tr className="space">
          <td colSpan={columns.length} style={{ height: `${known}px` }} />
        </tr>
      </tbody>
    );
  }
  return (
    <tbody ref={body} role="rowgroup">
      {rows.map((row, index) => (
        <tr key={rowKey(row)} role="row" aria-rowindex={first + index + 2}>
          {columns.map((column) =>
            column.isMain === true ? (
              <th key={column.key} role="rowheader" scope="row" data-align={column.align}>
                {column.cell(row)}
              </th>
            ) : (
              <td key={column.key} role="cell" data-title={column.title} data-align={column.align}>
                <div>{column.cell(row)}</div>
              </td>
            ),
          )}
        </tr>
      ))}
    </tbody>
  );
}

/** The space of all rows behind the blocks; it tells when it is near what is seen. */
export function Rest({
  count,
  columns,
  onNear,
}: {
  readonly count: number;
  readonly columns: number;
  readonly onNear: () => void;
}) {
  const body = useRef<HTMLTableSectionElement>(null);
  useEffect(() => {
    const element = body.current;
    if (element === null) return undefined;
    shownBy.set(element, (near) => near && onNear());
    observer.observe(element);
    return () => observer.unobserve(element);
  }, [onNear]);
  return (
    <tbody ref={body} role="rowgroup" aria-hidden="true">
      <tr className="space">
        <td colSpan={columns} style={{ height: `${count * GUESSED_ROW_PX}px` }} />
      </tr>
    </tbody>
  );
}
