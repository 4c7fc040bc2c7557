/** The button that has the whole journal verified, and what came of it. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { Dialog } from "../../components/Dialog";
import { Problem } from "../../components/Problem";
import { State } from "../../components/State";
import { audit } from "../../language/audit";
import { amount } from "../../language/moments";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { useAction } from "../../server/resource";
import { Said } from "../plan/Said";
import type { Verification } from "./shapes";

export function Verify() {
  const words = useTexts(audit);
  const action = useAction();
  const [found, setFound] = useState<Verification>();
  const verify = () => action.run(async () => setFound(await api.get<Verification>("/audit/verification")));
  return (
    <>
      <Button isBusy={action.isBusy} onPress={() => void verify()}>
        {words.verify}
      </Button>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      {found !== undefined && (
        <Dialog title={words.verify} onClose={() => setFound(undefined)}>
          {found.faults.length === 0 ? (
            <p>
              <State kind="good">{words.verified(amount(found.entries))}</State>
            </p>
          ) : (
            <>
              <p>
                <State kind="bad">{words.broken(amount(found.entries))}</State>
              </p>
              <ul>
                {found.faults.map((fault) => (
                  <li key={`${fault.file} ${fault.line}`}>
                    {fault.line > 0
                      ? words.fault(fault.file, amount(fault.line), amount(fault.offset))
                      : words.fault_file(fault.file)}{" "}
                    <span className="muted">
                      <Said text={fault.what} />
                    </span>
                  </li>
                ))}
              </ul>
            </>
          )}
          <p className="hint">{words.last_digest}</p>
          <p>
            <code className="audit-digest">{`${Math.max(0, found.entries - 1)}:${found.head}`}</code>
          </p>
        </Dialog>
      )}
    </>
  );
}
