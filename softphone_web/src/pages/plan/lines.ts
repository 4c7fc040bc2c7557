/** Two texts compared line by line: what was taken out and what came in, with a few lines around. */
export interface Line {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
  /** Its number in the text that it is of; of the new one where both have it. */
  readonly number: number;
}

const AROUND = 2;
/** What differs may be so many lines on each side; beyond it the comparison would take too long. */
const MOST = 3000;

/** The lines that differ with those around them, in pieces; undefined where too many differ. */
export function comparedLines(before: string, after: string): readonly (readonly Line[])[] | undefined {
  const old = before.split("\n");
  const now = after.split("\n");
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1;
  let tail = 0;
  while (
    tail < old.length - head &&
    tail < now.length - head &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  ) {
    tail += 1;
  }
  const from = old.slice(head, old.length - tail);
  const to = now.slice(head, now.length - tail);
  if (from.length > MOST || to.length > MOST) return undefined;
  const first = Math.max(0, head - AROUND);
  const lines: Line[] = now.slice(first, head).map((text, index) => same(text, first + index + 1));
  lines.push(...middle(from, to, head));
  const end = now.length - tail;
  lines.push(...now.slice(end, end + AROUND).map((text, index) => same(text, end + index + 1)));
  return pieces(lines);
}

function same(text: string, number: number): Line {
  return { kind: "same", text, number };
}

/** The longest common lines of both, and what stands between them. */
function middle(from: readonly string[], to: readonly string[], head: number): Line[] {
  const width = to.length + 1;
  const longest = new Uint16Array((from.length + 1) * width);
  for (let i = from.length - 1; i >= 0; i -= 1) {
    for (let j = to.length - 1; j >= 0; j -= 1) {
      const here = i * width + j;
      longest[here] =
        from[i] === to[j]
          ? (longest[here + width + 1] ?? 0) + 1
          : Math.max(longest[here + width] ?? 0, longest[here + 1] ?? 0);
    }
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const here = i * width + j;
    const [old, now] = [from[i], to[j]];
    if (old !== undefined && old === now) {
      lines.push(same(old, head + j + 1));
      [i, j] = [i + 1, j + 1];
    } else if (old !== undefined && (now === undefined || (longest[here + width] ?? 0) >= (longest[here + 1] ?? 0))) {
      lines.push({ kind: "removed", text: old, number: head + i + 1 });
      i += 1;
    } else if (now !== undefined) {
      lines.push({ kind: "added", text: now, number: head + j + 1 });
      j += 1;
    }
  }
  return lines;
}

/** Without the long runs that both have. */
function pieces(lines: readonly Line[]): readonly (readonly Line[])[] {
  const kept = lines.map((_, index) =>
    lines.slice(Math.max(0, index - AROUND), index + AROUND + 1).some((line) => line.kind !== "same"),
  );
  const found: Line[][] = [];
  for (const [index, line] of lines.entries()) {
    if (kept[index] !== true) continue;
    if (kept[index - 1] !== true) found.push([]);
    found.at(-1)?.push(line);
  }
  return found;
}
