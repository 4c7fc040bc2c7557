/** A change of the plan before it is made: what it does in words for whom, how its tests go, and why it is made. */
import { useEffect, useState } from "react";

import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Loading, Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { plan } from "../../language/plan";
import { useTexts } from "../../language/texts";
import type { ServerProblem } from "../../server/api";
import { asProblem } from "../../server/resource";
import { Changes } from "./Changes";
import { Said } from "./Said";
import type { Applied, Comparison } from "./shapes";

export function ApplyDialog({
  title,
  reason = "",
  compare,
  apply,
  onDone,
  onClose,
}: {
  readonly title: string;
  /** What stands in the reason at first. */
  readonly reason?: string;
  readonly compare: () => Promise<Comparison>;
  readonly apply: (reason: string) => Promise<Applied>;
  readonly onDone: (applied: Applied) => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(plan);
  const [comparison, setComparison] = useState<Comparison>();
  const [problem, setProblem] = useState<ServerProblem>();
  const [asked] = useState(() => compare);
  useEffect(() => {
    let isShown = true;
    asked().then(
      (found) => isShown && setComparison(found),
      (failure: unknown) => isShown && setProblem(asProblem(failure)),
    );
    return () => {
      isShown = false;
    };
  }, [asked]);
  const send = async (answers: Readonly<Record<string, string>>) => {
    const applied = await apply(answers["reason"] ?? "");
    notify(applied.running ? words.applied(applied.version) : words.applied_later(applied.version));
    onDone(applied);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {problem !== undefined && <Problem problem={problem} />}
      {comparison === undefined && problem === undefined && <Loading />}
      {comparison !== undefined && (
        <div className="dialog-body">
          <Standing comparison={comparison} />
          {comparison.errors === 0 && (
            <>
              <Changes comparison={comparison} />
              <Form submit={words.apply_now} onSubmit={send} onCancel={onClose}>
                <Field
                  name="reason"
                  label={words.reason}
                  hint={words.reason_hint}
                  defaultValue={reason}
                  maxLength={500}
                  isRequired
                  isWide
                />
                <p className="muted">{words.calls_keep}</p>
              </Form>
            </>
          )}
        </div>
      )}
    </Dialog>
  );
}

/** Whether it may be put in force: its errors, or its tests. */
function Standing({ comparison }: { readonly comparison: Comparison }) {
  const words = useTexts(plan);
  if (comparison.errors > 0) {
    const errors = comparison.findings.filter((one) => one.severity === "error").slice(0, 5);
    return (
      <div className="problem" role="alert">
        <p>{words.has_errors(comparison.errors)}</p>
        <ul>
          {errors.map((one, index) => (
            <li key={index}>
              {one.line > 0 && `${words.line(one.line)} · `}
              <Said text={one.message} />
            </li>
          ))}
        </ul>
      </div>
    );
  }
  return (
    <p>
      <State kind={comparison.passed > 0 ? "good" : "off"}>
        {comparison.passed > 0 ? words.tests(comparison.passed) : words.no_tests}
      </State>
    </p>
  );
}
