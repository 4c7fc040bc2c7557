/** A recording as a package for a court: asked for, approved by another person where the plan says so, fetched once. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Checkbox, Field, Select } from "../../components/Field";
import { type Answers, Form } from "../../components/Form";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { momentInFull } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useLanguage, useTexts } from "../../language/texts";
import { type ServerProblem, address, api } from "../../server/api";
import { asProblem, useAction } from "../../server/resource";
import type { ExportRequest, FullRecording, PackageState } from "./shapes";

const ASK_MS = 500;

export function Exporting({
  known,
  reason,
  onChange,
}: {
  readonly known: FullRecording;
  readonly reason: string;
  readonly onChange: (changed: Partial<FullRecording>) => void;
}) {
  const words = useTexts(recordings);
  const action = useAction();
  const own = known.exports.find((one) => one.own);
  const rule = known.rules.export;
  const ask = () => {
    void action.run(async () => {
      const made = await api.post<ExportRequest>(`/recordings/${known.recording}/export-requests`, { reason });
      onChange({ exports: [...known.exports, made] });
    });
  };
  return (
    <Section title={words.export}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {rule === "never" ? (
        <p className="muted">{words.never}</p>
      ) : known.ended_at === null ? (
        <p className="muted">{words.export_when_ended}</p>
      ) : !known.is_key_here ? (
        <p className="warning-box">{words.key_away}</p>
      ) : rule === "two_persons" && own === undefined ? (
        <>
          <p className="muted">{words.two_persons}</p>
          <Button isBusy={action.isBusy} onPress={ask}>
            {words.ask_export}
          </Button>
        </>
      ) : rule === "two_persons" && own?.approved_by === "" ? (
        <p>
          {words.asked} ({words.until_at(momentInFull(own.until_at))})
        </p>
      ) : (
        <>
          {own !== undefined && <p>{words.approved_by(own.approved_by)}</p>}
          <Packing known={known} reason={reason} />
        </>
      )}
    </Section>
  );
}

function Packing({ known, reason }: { readonly known: FullRecording; readonly reason: string }) {
  const words = useTexts(recordings);
  const [made, setMade] = useState<PackageState>();
  const [wantsPassphrase, setWants] = useState(false);
  const begin = async (answers: Answers) => {
    const { format, mixed, passphrase } = answers;
    const body = { reason, format, mixed: mixed === "on", passphrase: passphrase ?? "" };
    try {
      setMade(await api.post<PackageState>(`/recordings/${known.recording}/packages`, body));
    } catch (failure) {
      if (asProblem(failure).where === "passphrase") setWants(true);
      throw failure;
    }
  };
  if (made !== undefined) return <Package begun={made} />;
  return (
    <Form submit={words.do_export} onSubmit={begin}>
      <p className="muted">{words.export_lead}</p>
      <Select
        name="format"
        label={words.format}
        options={[
          { value: "wav", label: words.wav },
          { value: "flac", label: words.flac },
          { value: "opus", label: words.opus },
        ]}
      />
      <Checkbox name="mixed" label={words.mixed} />
      {wantsPassphrase && <Field name="passphrase" type="password" label={words.passphrase} isRequired maxLength={500} />}
    </Form>
  );
}

/** A package while it is made, and the way to it. */
function Package({ begun }: { readonly begun: PackageState }) {
  const words = useTexts(recordings);
  const spoken = useLanguage();
  const [state, setState] = useState(begun);
  const [problem, setProblem] = useState<ServerProblem>();
  const path = `/recordings/packages/${begun.package}`;
  useEffect(() => {
    if (state.state !== "making") return undefined;
    const timer = setTimeout(() => {
      api.get<PackageState>(path).then(setState, (failure: unknown) => setProblem(asProblem(failure)));
    }, ASK_MS);
    return () => clearTimeout(timer);
  }, [path, state]);
  if (problem !== undefined) return <Problem problem={problem} />;
  if (state.state === "failed") return <p className="warning-box">{words.not_packed}</p>;
  if (state.state === "making") {
    const part = new Intl.NumberFormat(spoken, { style: "percent" }).format(state.part);
    return (
      <p role="status">
        {words.packing(part)} <progress aria-label={words.export} max={1} value={state.part} />
      </p>
    );
  }
  return (
    <p role="status">
      <a className="button main" href={address(`${path}/file`)} download>
        {words.fetch}
      </a>{" "}
      <span className="hint">{words.fetch_hint}</span>
    </p>
  );
}
