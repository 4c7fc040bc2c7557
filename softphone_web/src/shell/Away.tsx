/** The server doesn't answer at all: say so, and try again. */
import { useEffect } from "react";

import { Button } from "../components/Button";
import { problems } from "../language/problems";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { readSession } from "../server/session";

const AGAIN_MS = 3000;

export function Away() {
  const words = useTexts(problems);
  const names = useTexts(shell);
  useEffect(() => {
    const timer = setInterval(() => void readSession(), AGAIN_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <main className="alone">
      <h1>{names.program}</h1>
      <div className="problem" role="alert">
        <p>{words.unreachable}</p>
        <Button onPress={() => void readSession()}>{words.try_again}</Button>
      </div>
    </main>
  );
}
