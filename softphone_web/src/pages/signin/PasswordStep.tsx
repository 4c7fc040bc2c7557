/** The first step: name and password, a passkey alone, or somebody else's page where one is configured. */
import { Button } from "../../components/Button";
import { Field } from "../../components/Field";
import { Form } from "../../components/Form";
import { Page } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { ServerProblem, address, api } from "../../server/api";
import { passkeysHere, signWithPasskey } from "../../server/passkeys";
import { useAction, useResource } from "../../server/resource";
import { readSession } from "../../server/session";
import { path, useQuery } from "../../shell/place";

interface Provider {
  readonly available: boolean;
  readonly name: string;
}

export function PasswordStep() {
  const words = useTexts(signin);
  const passkey = useAction();
  const provider = useResource<Provider>("/openid").data;
  const refused = useQuery().get("problem");
  const byPasskey = () =>
    passkey.run(async () => {
      const { options } = await api.post<{ options: Record<string, unknown> }>("/session/passkey/question");
      await api.post("/session/passkey", { credential: await signWithPasskey(options) });
      await readSession();
    });
  return (
    <Page title={words.title}>
      {refused !== null && passkey.problem === undefined && (
        <Problem problem={new ServerProblem(0, refused, "")} />
      )}
      {passkey.problem !== undefined && <Problem problem={passkey.problem} />}
      <Form submit={words.go} onSubmit={(answers) => api.post("/session", answers).then(readSession)}>
        <Field name="account" label={words.account} autoComplete="username" isRequired />
        <Field
          name="password"
          label={words.password}
          type="password"
          autoComplete="current-password"
          maxLength={1000}
          isRequired
        />
      </Form>
      {(byName() || provider?.available === true) && (
        <>
          <p className="or">
            <span>{words.or}</span>
          </p>
          <div className="ways">
            {byName() && (
              <Button isBusy={passkey.isBusy} onPress={() => void byPasskey()}>
                {words.by_passkey}
              </Button>
            )}
            {provider?.available === true && (
              <a className="button plain" href={address("/openid/begin", { path: path() })}>
                {provider.name}
              </a>
            )}
          </div>
        </>
      )}
      <p className="hint">{words.forgotten}</p>
    </Page>
  );
}

/** Whether passkeys work here: they belong to a name, and not to an address. */
function byName(): boolean {
  return passkeysHere() && !/^[\d.]+$|^\[/.test(location.hostname);
}
