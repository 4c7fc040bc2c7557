/**
 * A form: sends itself once, says what is wrong beside the answer that is wrong, and goes there.
 *
 *     <Form submit={words.save} onSubmit={(answers) => api.put("/people/2001", answers)}>
 *       <Field name="name" label={words.name} isRequired />
 *     </Form>
 *
 * `answers` holds what each named field has, as text. A problem whose `where` ends with a field's name is that
 * field's; any other stands above the form. Who leaves a form that isn't saved is asked.
 */
import { type ReactNode, type SubmitEvent, createContext, useContext, useEffect, useRef, useState } from "react";

import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import type { ServerProblem } from "../server/api";
import { asProblem } from "../server/resource";
import { guard } from "../shell/place";
import { Button } from "./Button";
import { Problem, useSaying } from "./Problem";

export type Answers = Readonly<Record<string, string>>;

const Trouble = createContext<{ problem: ServerProblem | undefined; missing: ReadonlySet<string> }>({
  problem: undefined,
  missing: new Set(),
});

/** What is wrong with a field, "" for nothing. */
export function useTrouble(name: string): string {
  const { problem, missing } = useContext(Trouble);
  const words = useTexts(shell);
  const say = useSaying();
  if (missing.has(name)) return words.required;
  return problem !== undefined && isOf(problem, name) ? say(problem) : "";
}

function isOf(problem: ServerProblem, name: string): boolean {
  if (name === "") return false; // a button
  return problem.where === name || problem.where.endsWith(`.${name}`) || problem.where.endsWith(`/${name}`);
}

export function Form({
  submit,
  onSubmit,
  onCancel,
  cancel,
  kind = "main",
  isAlwaysFree = false,
  children,
}: {
  /** The words of the button that sends. */
  readonly submit: string;
  readonly onSubmit: (answers: Answers) => Promise<unknown>;
  readonly onCancel?: (() => void) | undefined;
  /** The words of the button that gives up, where « Annuler » is wrong. */
  readonly cancel?: string;
  readonly kind?: "main" | "danger";
  /** Whether one may leave it as it is without being asked: it is kept elsewhere, or not worth it. */
  readonly isAlwaysFree?: boolean;
  readonly children: ReactNode;
}) {
  const words = useTexts(shell);
  const form = useRef<HTMLFormElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [isChanged, setChanged] = useState(false);
  const [problem, setProblem] = useState<ServerProblem>();
  const [missing, setMissing] = useState<ReadonlySet<string>>(new Set());

  useUnsaved(isChanged && !isAlwaysFree);
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [problem, missing]);

  const send = async (sent: HTMLFormElement) => {
    const answers: Record<string, string> = {};
    for (const [name, value] of new FormData(sent)) if (typeof value === "string") answers[name] = value;
    const unanswered = [...sent.querySelectorAll<HTMLInputElement>("[aria-required=true]")]
      .filter((field) => field.value.trim() === "")
      .map((field) => field.name);
    setMissing(new Set(unanswered));
    setProblem(undefined);
    if (unanswered.length > 0) return;
    setBusy(true);
    try {
      await onSubmit(answers);
      setChanged(false);
    } catch (failure) {
      setProblem(asProblem(failure));
    } finally {
      setBusy(false);
    }
  };
  const sent = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!isBusy) void send(event.currentTarget);
  };
  const isSomewhere =
    problem !== undefined && [...(form.current?.elements ?? [])].some((field) => isOf(problem, nameOf(field)));
  return (
    <form ref={form} noValidate className="form" onSubmit={sent} onChange={() => setChanged(true)}>
      {problem !== undefined && !isSomewhere && <Problem problem={problem} />}
      <Trouble value={{ problem, missing }}>{children}</Trouble>
      <div className="actions">
        <Button type="submit" kind={kind} isBusy={isBusy}>
          {submit}
        </Button>
        {onCancel !== undefined && <Button onPress={onCancel}>{cancel ?? words.cancel}</Button>}
      </div>
    </form>
  );
}

function nameOf(field: Element): string {
  return field.getAttribute("name") ?? "";
}

/** Ask before what was written is lost. */
export function useUnsaved(isChanged: boolean): void {
  const words = useTexts(shell);
  useEffect(() => {
    if (!isChanged) return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    const unguard = guard(() => confirm(words.unsaved));
    return () => {
      removeEventListener("beforeunload", warn);
      unguard();
    };
  }, [isChanged, words.unsaved]);
}
