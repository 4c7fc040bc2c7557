/** Somebody's absence note: read by everybody, written by them and by operators. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { directory } from "../../language/directory";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { AbsenceNote } from "./AbsenceNote";
import type { Person } from "./shapes";

export function AbsencePart({
  person,
  mayChange,
  onChange,
}: {
  readonly person: Person;
  readonly mayChange: boolean;
  readonly onChange: () => void;
}) {
  const words = useTexts(directory);
  const [isWriting, setWriting] = useState(false);
  const removing = useAction();
  if (person.absence === null && !mayChange) return null;
  const path = `/people/${person.number}/absence`;
  const keep = async (answers: Answers) => {
    const until_at = new Date(answers["until_at"] ?? "").getTime() / 1000;
    await api.put(path, { text: (answers["text"] ?? "").trim(), until_at });
    setWriting(false);
    notify(words.saved);
    onChange();
  };
  const remove = () => {
    void removing.run(() => api.delete(path)).then((isDone) => isDone && onChange());
  };
  return (
    <Section
      title={words.absence}
      actions={
        mayChange &&
        !isWriting && (
          <>
            <Button onPress={() => setWriting(true)}>{words.absence_set}</Button>
            {person.absence !== null && (
              <Button isBusy={removing.isBusy} onPress={remove}>
                {words.absence_remove}
              </Button>
            )}
          </>
        )
      }
    >
      {removing.problem !== undefined && <Problem problem={removing.problem} />}
      {person.absence === null ? (
        !isWriting && <p className="muted">{words.absence_none}</p>
      ) : (
        <p className="actions">
          <State kind="off">{words.absent}</State>
          <AbsenceNote absence={person.absence} />
        </p>
      )}
      {isWriting && (
        <Form submit={words.save} onSubmit={keep} onCancel={() => setWriting(false)}>
          <Field
            name="text"
            label={words.absence_text}
            hint={words.absence_hint}
            defaultValue={person.absence?.text ?? ""}
            isRequired
          />
          <Field
            name="until_at"
            type="datetime-local"
            label={words.absence_until}
            defaultValue={tomorrow()}
            isRequired
          />
        </Form>
      )}
    </Section>
  );
}

/** Tomorrow morning, as the browser's field writes it. */
function tomorrow(): string {
  const day = new Date();
  day.setDate(day.getDate() + 1);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}T08:30`;
}
