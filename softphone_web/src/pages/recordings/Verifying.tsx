/** Whether a recording is as it was written, and what was looked at to say so. path: where that is asked. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Section } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { amount, length } from "../../language/moments";
import { recordings } from "../../language/recordings";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { Said } from "../plan/Said";
import type { Verification } from "./shapes";

export function Verifying({ path, onDone }: { readonly path: string; readonly onDone?: () => void }) {
  const words = useTexts(recordings);
  const action = useAction();
  const [found, setFound] = useState<Verification>();
  const verify = () => {
    void action.run(async () => {
      setFound(await api.post<Verification>(path));
      onDone?.();
    });
  };
  return (
    <Section
      title={words.verify}
      actions={
        <Button isBusy={action.isBusy} onPress={verify}>
          {words.verify}
        </Button>
      }
    >
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <p className="muted">{words.verify_lead}</p>
      <div role="status">{found !== undefined && <Result found={found} />}</div>
    </Section>
  );
}

function Result({ found }: { readonly found: Verification }) {
  const words = useTexts(recordings);
  const segments = amount(found.segments);
  return (
    <>
      <p>
        {found.whole ? (
          <State kind="good">{words.verified_whole}</State>
        ) : (
          <State kind="bad">{words.not_whole}</State>
        )}
      </p>
      <ul className="result-list">
        {found.findings.map((finding) => (
          <li key={finding}>
            <Said text={finding} />
          </li>
        ))}
        {found.proved_seconds !== null && <li>{words.proved(length(found.proved_seconds))}</li>}
        <li>
          {found.opened === null
            ? words.verified_closed(segments)
            : words.verified_segments(segments, amount(found.opened))}
        </li>
        <li>{words.verified_journal(amount(found.journal_entries))}</li>
        {found.whole && <li>{found.goes_on ? words.verified_goes_on : words.verified_end}</li>}
      </ul>
    </>
  );
}
