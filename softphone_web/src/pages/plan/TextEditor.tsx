/**
 * The plan's text: a plain textarea, which screen readers and spelling of any kind know, beside the numbers of its
 * lines. What was found is marked at its line, by shape before colour.
 */
import { type KeyboardEvent, type Ref, useImperativeHandle, useMemo, useRef, useState } from "react";

import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import type { Finding, Severity } from "./shapes";

export interface TextEditorHandle {
  /** Put the caret there and show it. Both count from 1. */
  readonly jump: (line: number, column: number) => void;
  /** To the next finding after the caret, or the one before it; round the end. */
  readonly step: (direction: 1 | -1) => void;
}

const SHAPES: Readonly<Record<Severity, string>> = { error: "✕", warning: "▲", note: "●" };
const RANK: Readonly<Record<Severity, number>> = { error: 0, warning: 1, note: 2 };

export function TextEditor({
  ref,
  text,
  findings,
  isReadOnly,
  onChange,
}: {
  readonly ref: Ref<TextEditorHandle>;
  readonly text: string;
  readonly findings: readonly Finding[];
  readonly isReadOnly: boolean;
  readonly onChange: (text: string) => void;
}) {
  const words = useTexts(plan);
  const area = useRef<HTMLTextAreaElement>(null);
  const [scrolled, setScrolled] = useState(0);
  const count = useMemo(() => text.split("\n").length, [text]);
  const numbers = useMemo(() => Array.from({ length: count }, (_, index) => index + 1).join("\n"), [count]);
  const marks = useMemo(() => worstByLine(findings, count), [findings, count]);

  const jump = (line: number, column: number) => {
    const shown = area.current;
    if (shown === null) return;
    const at = placeOf(shown.value, line, column);
    shown.focus({ preventScroll: true });
    shown.setSelectionRange(at, at);
    shown.scrollTop = Math.max(0, (line - 5) * lineHeight(shown));
    shown.scrollIntoView({ block: "nearest" });
  };
  const step = (direction: 1 | -1) => {
    const shown = area.current;
    if (shown === null) return;
    const here = shown.value.slice(0, shown.selectionStart).split("\n").length;
    const lines = findings.filter((one) => one.line > 0).toSorted((a, b) => a.line - b.line);
    const next =
      direction === 1 ? lines.find((one) => one.line > here) : lines.findLast((one) => one.line < here);
    const found = next ?? (direction === 1 ? lines[0] : lines.at(-1));
    if (found !== undefined) jump(found.line, found.column);
  };
  useImperativeHandle(ref, () => ({ jump, step }));

  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "F8") return;
    event.preventDefault();
    step(event.shiftKey ? -1 : 1);
  };
  return (
    <div className="plan-text">
      <div className="plan-gutter" aria-hidden="true">
        <div style={{ transform: `translateY(${-scrolled}px)` }}>
          <pre>{numbers}</pre>
          {marks.map((mark) => (
            <span
              key={mark.line}
              className={`plan-mark ${mark.severity}`}
              style={{ insetBlockStart: `calc(var(--plan-line) * ${mark.line - 1})` }}
            >
              {SHAPES[mark.severity]}
            </span>
          ))}
        </div>
      </div>
      <textarea
        ref={area}
        aria-label={words.text_label}
        aria-keyshortcuts="F8 Shift+F8"
        value={text}
        readOnly={isReadOnly}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        wrap="off"
        onChange={(event) => onChange(event.target.value)}
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
        onKeyDown={pressed}
      />
    </div>
  );
}

/** The worst finding of each line that has any. */
function worstByLine(findings: readonly Finding[], lines: number): readonly Finding[] {
  const worst = new Map<number, Finding>();
  for (const one of findings) {
    const known = worst.get(one.line);
    if (one.line < 1 || one.line > lines) continue;
    if (known === undefined || RANK[one.severity] < RANK[known.severity]) worst.set(one.line, one);
  }
  return [...worst.values()];
}

function placeOf(text: string, line: number, column: number): number {
  const before = text.split("\n").slice(0, line - 1);
  const begin = before.reduce((sum, one) => sum + one.length + 1, 0);
  const end = text.indexOf("\n", begin);
  return Math.min(begin + Math.max(0, column - 1), end < 0 ? text.length : end);
}

function lineHeight(area: HTMLTextAreaElement): number {
  return Number.parseFloat(getComputedStyle(area).lineHeight);
}
