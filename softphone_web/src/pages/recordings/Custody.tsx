/** What was done with one recording, for who keeps house: its journal, its holds, whether it is whole. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Facts } from "../../components/Facts";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { notify } from "../../components/Notices";
import { Page, Section } from "../../components/Page";
import { Show } from "../../components/Show";
import { day, momentInFull } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import type { PageProps } from "../../pages";
import { api } from "../../server/api";
import { useResource } from "../../server/resource";
import { HoldLines, Releasing } from "./Keeping";
import { Verifying } from "./Verifying";
import "./recordings.css";
import { type Custody as Told, type Hold, dayOf, instant } from "./shapes";
import { JournalTable, RecordingState } from "./words";

export default function Custody({ params }: PageProps) {
  const words = useTexts(recordings);
  const name = params.recording ?? "";
  const told = useResource<Told>(`/recordings/keeping/custody/${encodeURIComponent(name)}`);
  const [isHolding, setHolding] = useState(false);
  const [ending, setEnding] = useState<Hold>();
  const hold = async (answers: Answers) => {
    const body = { reason: answers.reason, until_at: instant(answers.until_at), recordings: [name] };
    await api.post("/recordings/keeping/holds", body);
    setHolding(false);
    notify(words.hold_made);
    told.reload();
  };
  return (
    <Page title={words.custody(name)} lead={words.custody_lead} actions={<Link to="/recording-journal">{words.report}</Link>}>
      <Show resource={told}>
        {(known) => (
          <>
            <Facts
              facts={[
                [words.when, momentInFull(known.begun_at)],
                [words.state, <RecordingState key="state" recording={{ state: known.state, held_until_at: null }} />],
                [words.policy, known.rules.name],
                [words.legal_basis, known.rules.legal_basis],
                [words.kept_until, known.keep_until_at === null ? words.not_in_plan : day(known.keep_until_at)],
              ]}
            />
            <Section title={words.keeping} actions={<Button onPress={() => setHolding(true)}>{words.hold_it}</Button>}>
              {known.holds.length === 0 ? (
                <p className="muted">{words.no_holds}</p>
              ) : (
                <HoldLines holds={known.holds} onRelease={setEnding} />
              )}
            </Section>
            <Verifying path={`/recordings/keeping/verification/${name}`} onDone={told.reload} />
            <Section title={words.journal}>
              <JournalTable label={words.journal} entries={known.journal} empty={words.journal_empty} />
            </Section>
            {isHolding && (
              <Dialog title={words.hold_title} onClose={() => setHolding(false)}>
                <Form submit={words.hold_it} onSubmit={hold} onCancel={() => setHolding(false)}>
                  <Field
                    name="until_at"
                    label={words.hold_until}
                    type="date"
                    isRequired
                    defaultValue={dayOf((known.keep_until_at ?? known.begun_at) + 182 * 86_400)}
                  />
                  <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide />
                </Form>
              </Dialog>
            )}
            {ending !== undefined && (
              <Releasing
                hold={ending}
                path="/recordings/keeping/holds/release"
                onDone={told.reload}
                onClose={() => setEnding(undefined)}
              />
            )}
          </>
        )}
      </Show>
    </Page>
  );
}
