/** One recording: what it is, listened to, held, exported, verified, and everything that was done with it. */
import { useCallback, useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Facts } from "../../components/Facts";
import { Field } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Link } from "../../components/Link";
import { Page, Section } from "../../components/Page";
import { PhoneNumber } from "../../components/PhoneNumber";
import { Loading, Problem } from "../../components/Problem";
import { Duration } from "../../components/Time";
import { day, momentInFull, size } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import type { PageProps } from "../../pages";
import { type ServerProblem, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { useSession } from "../../server/session";
import { Exporting } from "./Exporting";
import { Keeping } from "./Keeping";
import { Player } from "./Player";
import { Verifying } from "./Verifying";
import "./recordings.css";
import { type FullRecording, type Listening, remembered } from "./shapes";
import { JournalTable, RecordingState } from "./words";

export default function Recording({ params }: PageProps) {
  const words = useTexts(recordings);
  const name = params.recording ?? "";
  const memory = remembered(useSession().account);
  const [reason, setReason] = useState(memory.reason);
  const give = (answers: Answers) => {
    memory.reason = answers.reason ?? "";
    setReason(memory.reason);
    return Promise.resolve();
  };
  return (
    <Page title={words.recording(name)} actions={<Link to="/recordings">{words.back}</Link>}>
      {reason === "" ? (
        <Section title={words.why_look}>
          <Form submit={words.open} onSubmit={give} isAlwaysFree>
            <Field name="reason" label={words.reason} hint={words.reason_hint} isRequired maxLength={500} isWide />
          </Form>
        </Section>
      ) : (
        <Opened name={name} reason={reason} onOtherReason={() => setReason("")} />
      )}
    </Page>
  );
}

function Opened({
  name,
  reason,
  onOtherReason,
}: {
  readonly name: string;
  readonly reason: string;
  readonly onOtherReason: () => void;
}) {
  const words = useTexts(recordings);
  const [known, setKnown] = useState<FullRecording>();
  const [problem, setProblem] = useState<ServerProblem>();
  const read = useCallback(() => {
    api.post<FullRecording>(`/recordings/${name}/facts`, { reason }).then(
      (told) => {
        setKnown(told);
        setProblem(undefined);
      },
      (failure: unknown) => setProblem(asProblem(failure)),
    );
  }, [name, reason]);
  useEffect(read, [read]);
  // What is done here changes what is shown here: to read it all again would be one more entry of the journal.
  const change = (changed: Partial<FullRecording>) =>
    setKnown((before) => (before === undefined ? before : { ...before, ...changed }));
  if (problem !== undefined) {
    const mayHelp = problem.where === "reason" ? onOtherReason : problem.status >= 500 || problem.status === 0 ? read : undefined;
    return <Problem problem={problem} onRetry={mayHelp} />;
  }
  if (known === undefined) return <Loading />;
  return (
    <>
      <KnownFacts known={known} reason={reason} />
      <Listen known={known} reason={reason} />
      <Keeping known={known} reason={reason} onChange={change} />
      <Exporting known={known} reason={reason} onChange={change} />
      <Verifying path={`/recordings/${name}/verification`} />
      <Section title={words.journal} actions={<Button onPress={read}>{words.read_again}</Button>}>
        <JournalTable label={words.journal} entries={known.journal} empty={words.journal_empty} />
      </Section>
    </>
  );
}

function KnownFacts({ known, reason }: { readonly known: FullRecording; readonly reason: string }) {
  const words = useTexts(recordings);
  const directions = { in: words.in, out: words.out, internal: words.internal } as const;
  const direction = directions[known.direction as keyof typeof directions] as string | undefined;
  const until = known.keep_until_at === null ? words.not_in_plan : day(Math.max(known.keep_until_at, known.held_until_at ?? 0));
  const facts: [string, React.ReactNode][] = [
    [words.when, momentInFull(known.begun_at)],
    [words.lasts, known.seconds === null ? words.going : <Duration key="s" seconds={known.seconds} />],
    [words.state, <RecordingState key="state" recording={known} />],
    [words.from, known.caller === "" ? "–" : <PhoneNumber key="from" number={known.caller} />],
    [words.to, known.called === "" ? "–" : <PhoneNumber key="to" number={known.called} />],
    ...row(words.line, known.line),
    ...row(words.person, known.user),
    ...row(words.direction, direction ?? known.direction),
    ...row(words.site, known.site),
    [words.policy, known.policy],
    ...row(words.legal_basis, known.rules.legal_basis),
    ...row(words.register, known.rules.register_number),
    [words.kept_until, known.held_until_at === null ? until : words.on_hold_until(until)],
    [words.size, size(known.bytes)],
    ...row(words.continues, known.continues),
    [words.reason, reason],
  ];
  return (
    <Section title={words.facts}>
      <Facts facts={facts} />
    </Section>
  );
}

function row(name: string, value: string): [string, React.ReactNode][] {
  return value === "" ? [] : [[name, value]];
}

function Listen({ known, reason }: { readonly known: FullRecording; readonly reason: string }) {
  const words = useTexts(recordings);
  const [listening, setListening] = useState<Listening>();
  const [problem, setProblem] = useState<ServerProblem>();
  const [isBusy, setBusy] = useState(false);
  const open = async (passphrase: string) => {
    setBusy(true);
    try {
      setListening(await api.post<Listening>(`/recordings/${known.recording}/listenings`, { reason, passphrase }));
      setProblem(undefined);
    } catch (failure) {
      setProblem(asProblem(failure));
    } finally {
      setBusy(false);
    }
  };
  const wantsPassphrase = problem?.where === "passphrase";
  return (
    <Section title={words.listen}>
      {problem !== undefined && !wantsPassphrase && <Problem problem={problem} />}
      {listening !== undefined ? (
        <Player listening={listening} onClose={() => setListening(undefined)} />
      ) : !known.is_key_here ? (
        <p className="warning-box">{words.key_away}</p>
      ) : wantsPassphrase ? (
        <Form submit={words.listen} onSubmit={(answers) => open(answers.passphrase ?? "")}>
          {problem.code === "passphrase_wrong" && <Problem problem={problem} />}
          <Field name="passphrase" type="password" label={words.passphrase} isRequired maxLength={500} />
        </Form>
      ) : (
        <>
          <p className="muted">{words.listen_hint}</p>
          <Button kind="main" isBusy={isBusy} onPress={() => void open("")}>
            {words.listen}
          </Button>
        </>
      )}
    </Section>
  );
}
