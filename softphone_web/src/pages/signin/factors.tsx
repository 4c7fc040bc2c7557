/** Setting a second factor up: an application for codes, a passkey; and the recovery codes that come with it. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { Loading, Problem } from "../../components/Problem";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { api } from "../../server/api";
import { makePasskey } from "../../server/passkeys";
import { useAction } from "../../server/resource";
import { type Session, carrySession } from "../../server/session";

export interface FactorsChanged {
  readonly session: Session;
  readonly recovery_codes: readonly string[];
}

interface Application {
  readonly secret: string;
  readonly qr: { readonly size: number; readonly path: string };
  readonly pending: string;
}

/** An application: its QR code, its key to be typed, and the first code that confirms it. */
export function ApplicationSetUp({
  onDone,
  onCancel,
}: {
  readonly onDone: (changed: FactorsChanged) => void;
  readonly onCancel: () => void;
}) {
  const words = useTexts(signin);
  const [made, setMade] = useState<Application>();
  const { run, problem } = useAction();
  useEffect(() => {
    void run(async () => setMade(await api.post<Application>("/account/application")));
    // A new secret each time that this is opened, and only then.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  if (problem !== undefined) return <Problem problem={problem} />;
  if (made === undefined) return <Loading />;
  const confirm = async (answers: Readonly<Record<string, string>>) => {
    const body = { pending: made.pending, code: answers["code"] ?? "" };
    onDone(changed(await api.put<FactorsChanged>("/account/application", body)));
  };
  return (
    <div className="set-up">
      <p>{words.scan}</p>
      <svg className="qr" viewBox={`0 0 ${made.qr.size} ${made.qr.size}`} role="img" aria-label={words.qr}>
        <rect width="100%" height="100%" fill="#fff" />
        <path d={made.qr.path} fill="#000" shapeRendering="crispEdges" />
      </svg>
      <p>
        {words.or_type}
        <br />
        <code className="typed-key">{made.secret}</code>
      </p>
      <Form submit={words.confirm} onSubmit={confirm} onCancel={onCancel}>
        <Field
          name="code"
          label={words.then_code}
          autoComplete="one-time-code"
          inputMode="numeric"
          maxLength={12}
          isRequired
        />
      </Form>
    </div>
  );
}

/** A passkey: its name, and the browser's own question. */
export function PasskeySetUp({
  onDone,
  onCancel,
}: {
  readonly onDone: (changed: FactorsChanged) => void;
  readonly onCancel: () => void;
}) {
  const words = useTexts(signin);
  const make = async (answers: Readonly<Record<string, string>>) => {
    const { options } = await api.post<{ options: Record<string, unknown> }>("/account/passkeys/question");
    const body = { name: answers["name"] ?? "", credential: await makePasskey(options) };
    onDone(changed(await api.post<FactorsChanged>("/account/passkeys", body)));
  };
  return (
    <Form submit={words.choose_key} onSubmit={make} onCancel={onCancel}>
      <Field
        name="name"
        label={words.key_name}
        hint={words.key_name_hint}
        defaultValue={words.key_default}
        maxLength={60}
        isRequired
      />
    </Form>
  );
}

/** Recovery codes, shown once. */
export function RecoveryCodes({
  codes,
  onKept,
}: {
  readonly codes: readonly string[];
  readonly onKept: () => void;
}) {
  const words = useTexts(signin);
  return (
    <div className="set-up printed">
      <p>{words.codes_lead}</p>
      <ul className="codes" aria-label={words.codes_label}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <div className="actions">
        <Button kind="main" onPress={onKept}>
          {words.codes_kept}
        </Button>
        <Button onPress={() => window.print()}>{words.print}</Button>
      </div>
    </div>
  );
}

/** The session has a new token: whatever changes something next carries it. */
export function changed(answer: FactorsChanged): FactorsChanged {
  carrySession(answer.session);
  return answer;
}
