/** A link of the demonstration: it signs in by itself, and goes on to the first page. */
import { useEffect, useState } from "react";

import { Link } from "../../components/Link";
import { Page } from "../../components/Page";
import { Problem } from "../../components/Problem";
import { signin } from "../../language/signin";
import { useTexts } from "../../language/texts";
import { type ServerProblem, api } from "../../server/api";
import { asProblem } from "../../server/resource";
import { readSession } from "../../server/session";
import { navigate } from "../../shell/place";
import { secretOfLink } from "./secret";

let begun: Promise<unknown> | undefined;

export default function Welcome() {
  const words = useTexts(signin);
  const [problem, setProblem] = useState<ServerProblem>();
  useEffect(() => {
    // Once: React draws a component twice while it is developed, and the link works a single time.
    begun ??= api.post("/session/demonstration", { secret: secretOfLink() }).then(readSession);
    begun.then(
      () => navigate("/", { replace: true }),
      (failure: unknown) => setProblem(asProblem(failure)),
    );
  }, []);
  return (
    <Page title={words.welcome_title}>
      {problem === undefined ? (
        <p role="status">{words.welcome}</p>
      ) : (
        <>
          <Problem problem={problem} />
          <p>
            <Link to="/">{words.to_sign_in}</Link>
          </p>
        </>
      )}
    </Page>
  );
}
