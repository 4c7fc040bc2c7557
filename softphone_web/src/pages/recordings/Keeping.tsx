/** Whether a recording is kept longer than the plan says: its holds, a new one, the end of one. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { notify } from "../../components/Notices";
import { Section } from "../../components/Page";
import { day } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { type FullRecording, type Hold, dayOf, instant } from "./shapes";

const HALF_A_YEAR = 182 * 86_400;

export function Keeping({
  known,
  reason,
  onChange,
}: {
  readonly known: FullRecording;
  readonly reason: string;
  readonly onChange: (changed: Partial<FullRecording>) => void;
}) {
  const words = useTexts(recordings);
  const [isHolding, setHolding] = useState(false);
  const [ending, setEnding] = useState<Hold>();
  const show = (holds: readonly Hold[]) =>
    onChange({ holds, held_until_at: holds.length === 0 ? null : Math.max(...holds.map((one) => one.until_at)) });
  const hold = async (answers: Answers) => {
    const body = { reason: answers.reason, until_at: instant(answers.until_at) };
    const made = await api.post<{ readonly items: readonly Hold[] }>(`/recordings/${known.recording}/holds`, body);
    setHolding(false);
    notify(words.hold_made);
    show([...known.holds, ...made.items]);
  };
  const later = dayOf((known.ended_at ?? known.begun_at) + HALF_A_YEAR);
  return (
    <Section title={words.keeping} actions={<Button onPress={() => setHolding(true)}>{words.hold_it}</Button>}>
      {known.holds.length === 0 ? (
        <p className="muted">{words.no_holds}</p>
      ) : (
        <HoldLines holds={known.holds} onRelease={setEnding} />
      )}
      {isHolding && (
        <Dialog title={words.hold_title} onClose={() => setHolding(false)}>
          <Form submit={words.hold_it} onSubmit={hold} onCancel={() => setHolding(false)}>
            <Field name="until_at" label={words.hold_until} type="date" isRequired defaultValue={later} />
            <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide defaultValue={reason} />
          </Form>
        </Dialog>
      )}
      {ending !== undefined && (
        <Releasing
          hold={ending}
          path="/recordings/holds/release"
          onDone={() => show(known.holds.filter((one) => one.hold !== ending.hold))}
          onClose={() => setEnding(undefined)}
        />
      )}
    </Section>
  );
}

/** Holds, one a line. */
export function HoldLines({
  holds,
  onRelease,
  hasRecording = false,
}: {
  readonly holds: readonly Hold[];
  readonly onRelease: (hold: Hold) => void;
  readonly hasRecording?: boolean;
}) {
  const words = useTexts(recordings);
  return (
    <ul className="plain-list">
      {holds.map((hold) => (
        <li key={hold.hold}>
          {hasRecording && `${hold.recording} — `}
          {words.hold_line(day(hold.until_at), hold.by)} — {hold.reason}{" "}
          <Button kind="quiet" label={`${words.release} ${hold.hold}`} onPress={() => onRelease(hold)}>
            {words.release}
          </Button>
        </li>
      ))}
    </ul>
  );
}

/** Ask for the reason why a hold ends, and end it. path: where that is asked. */
export function Releasing({
  hold,
  path,
  onDone,
  onClose,
}: {
  readonly hold: Hold;
  readonly path: string;
  readonly onDone: () => void;
  readonly onClose: () => void;
}) {
  const words = useTexts(recordings);
  const release = async (answers: Answers) => {
    await api.post(path, { reason: answers.reason, holds: [hold.hold] });
    onClose();
    notify(words.released);
    onDone();
  };
  return (
    <Dialog title={words.release_title} onClose={onClose}>
      <Form submit={words.release} kind="danger" onSubmit={release} onCancel={onClose}>
        <p>{words.release_text}</p>
        <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide />
      </Form>
    </Dialog>
  );
}
