/** Who calls what, when: where it goes and why, each rule with its line. */
import { useState } from "react";

import { Field, Select } from "../../components/Field";
import { Form } from "../../components/Form";
import { State } from "../../components/State";
import { plan } from "../../language/plan";
import { spokenNumber } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { LineButton } from "./Findings";
import { Said } from "./Said";
import type { Explanation, PlanShown } from "./shapes";

export function Explain({
  shown,
  edited,
  onJump,
}: {
  readonly shown: PlanShown;
  /** The text to ask, undefined for the plan in force. */
  readonly edited: string | undefined;
  readonly onJump: (line: number, column: number) => void;
}) {
  const words = useTexts(plan);
  const [answer, setAnswer] = useState<{ of: Explanation; isEdited: boolean }>();
  const ask = async (answers: Readonly<Record<string, string>>) => {
    const of = await api.post<Explanation>("/plan/explain", {
      caller: answers["caller"] ?? "",
      dialled: answers["dialled"] ?? "",
      when: answers["when"] ?? "",
      site: answers["site"] ?? "",
      trunks_down: (answers["trunk"] ?? "") === "" ? [] : [answers["trunk"]],
      text: edited ?? "",
    });
    setAnswer({ of, isEdited: edited !== undefined });
  };
  const choices = (none: string, names: readonly string[]) => [
    { value: "", label: none },
    ...names.map((name) => ({ value: name, label: name })),
  ];
  return (
    <section className="plan-panel" aria-label={words.explain}>
      <h2>{words.explain}</h2>
      <Form submit={words.ask} onSubmit={ask} kind="main">
        <div className="plan-question">
          <Field name="caller" label={words.who} hint={words.who_hint} isRequired maxLength={40} />
          <Field name="dialled" label={words.dialled} isRequired maxLength={128} />
          <Field
            name="when"
            label={words.when}
            type="datetime-local"
            hint={words.when_hint(shown.timezone)}
          />
          <Select name="site" label={words.site} options={choices(words.site_usual, shown.sites)} />
          <Select name="trunk" label={words.trunk_down} options={choices(words.trunk_none, shown.trunks)} />
        </div>
      </Form>
      {answer !== undefined && <Shown answer={answer.of} isEdited={answer.isEdited} onJump={onJump} />}
    </section>
  );
}

function Shown({
  answer,
  isEdited,
  onJump,
}: {
  readonly answer: Explanation;
  readonly isEdited: boolean;
  readonly onJump: (line: number, column: number) => void;
}) {
  const words = useTexts(plan);
  return (
    <div className="plan-answer" role="status">
      <p>
        <State kind={answer.kind === "refused" ? "bad" : "good"}>
          <strong>
            <Said text={answer.summary} />
          </strong>
        </State>
      </p>
      {answer.kind === "trunks" && (
        <p>
          {answer.anonymous || answer.caller_id === ""
            ? words.hidden
            : words.shows(spokenNumber(answer.caller_id))}
        </p>
      )}
      <p className="muted">{isEdited ? words.explained_edited : words.explained_in_force}</p>
      <ol className="plan-steps">
        {answer.steps.map((step, index) => (
          <li key={index}>
            <span className="plan-step-line">
              {step.line > 0 ? (
                <LineButton line={step.line} what={step.rule} onPress={() => onJump(step.line, 1)} />
              ) : (
                <span className="muted">{words.built_in}</span>
              )}
            </span>
            <span>
              <strong>
                <Said text={step.rule} />
              </strong>{" "}
              <Said text={step.outcome} />
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}
